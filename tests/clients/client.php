<?php
// A shop in PHP without cURL: forms, the API key in the body, numbers as texts. Usage: client.php BASE API_KEY [PRODUCT]
// Without PRODUCT it creates one and prints its id; with it, it plays the life of a license key. A line per step.

[, $base, $apiKey, $product] = $argv + [3 => null];
$publicKey = null;

function ask(string $endpoint, array $params): array
{
    global $base, $apiKey, $publicKey;
    $body = http_build_query(['api_key' => $apiKey] + array_map('strval', $params));
    $reads = in_array($endpoint, ['get-all-generators', 'get-product-public-key']);
    $options = $reads
        ? ['method' => 'GET']
        : ['method' => 'POST', 'header' => 'Content-Type: application/x-www-form-urlencoded', 'content' => $body];
    $url = "$base/api/v1/$endpoint" . ($reads ? "?$body" : '');
    $text = file_get_contents($url, false, stream_context_create(['http' => $options + ['ignore_errors' => true]]));
    $envelope = json_decode($text, true);
    if ($publicKey && $envelope['private_key_used'] === 'product') {
        signed($envelope['response_base64'], $envelope['signature']) or die("$endpoint: the signature is wrong\n");
    }
    $answer = json_decode(base64_decode($envelope['response_base64']), true);
    $answer === $envelope['response'] or die("$endpoint: the bytes say something else\n");
    echo "$endpoint ", json_encode($answer['code']), "\n";
    return $answer;
}

function signed(string $text, string $signature): bool
{
    global $publicKey;
    return openssl_verify($text, base64_decode($signature), $publicKey, OPENSSL_ALGO_SHA256) === 1;
}

function verified(array $document): bool
{
    $signature = $document['signature'];
    unset($document['signature']);
    return signed(json_encode($document, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE), $signature);
}

if ($product === null) {
    $answer = ask('create-product', ['name' => 'Größe / 日本', 'description' => 'Sold by a shop in PHP']);
    echo $answer['product_id'], "\n";
    exit;
}

$generator = ask('get-all-generators', ['product_id' => $product])['products'][0]['id'];
$licenseKey = ask('generate', ['generator_id' => $generator, 'quantity' => 1])['licenseKeys'][0];
ask('assign-license-key', ['license_key' => $licenseKey, 'owner_name' => 'Ada', 'email' => 'ada@example.com']);
$publicKey = ask('get-product-public-key', ['product_id' => $product])['public_key'];
$at = ['license_key' => $licenseKey, 'identifier' => 'shop.example/größe'];
ask('activate', $at);
ask('verify', $at);
ask('create-license-key-meta', $at + ['key' => 'edition', 'value' => 'Pro']);
ask('send-telemetry-data', [
    'product_id' => $product, 'user_identifier' => 'u', 'license_key' => $licenseKey,
    'activation_identifier' => 'shop.example', 'product_version' => '1.0', 'data_type' => 'text',
    'data_group' => 'clients', 'text_data' => 'Hello',
]);
$url = ask('access-downloadables', $at)['downloadables'][0]['url'];
echo 'download ', hash('sha256', file_get_contents($url)), "\n";
$document = ask('get-license-file', $at)['licenseFile'];
echo 'offline ', json_encode(verified($document)), "\n";
ask('deactivate', $at);
ask('delete-license-key', ['license_key' => $licenseKey]);
ask('delete-product', ['product_id' => $product]);
