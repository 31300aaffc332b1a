<?php
// php check.php chunked|signed PUBLIC_KEY.pem < text
// chunked: the JSON of a license file in blocks. signed: whether the signature fits, as received and sorted.

const COMPACT = JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE;

function read_chunked(string $text, OpenSSLAsymmetricKey $key): ?array
{
    $size = intdiv(openssl_pkey_get_details($key)['bits'], 8);
    $plain = '';
    foreach (str_split(base64_decode($text), $size) as $block) {
        if (!openssl_public_decrypt($block, $piece, $key, OPENSSL_PKCS1_PADDING)) {
            return null;
        }
        $plain .= $piece;
    }
    return json_decode($plain, true);
}

function sorted_names(mixed $value): mixed
{
    if (!is_array($value)) {
        return $value;
    }
    if (!array_is_list($value)) {
        ksort($value);
    }
    return array_map('sorted_names', $value);
}

function is_signed(array $document, bool $sorted, OpenSSLAsymmetricKey $key): bool
{
    $signature = base64_decode($document['signature']);
    unset($document['signature']);
    $message = json_encode($sorted ? sorted_names($document) : $document, COMPACT);
    return openssl_verify($message, $signature, $key, OPENSSL_ALGO_SHA256) === 1;
}

[, $what, $path] = $argv;
$key = openssl_pkey_get_public(file_get_contents($path));
$text = stream_get_contents(STDIN);
if ($what === 'chunked') {
    echo json_encode(read_chunked($text, $key), COMPACT | JSON_THROW_ON_ERROR);
} else {
    $document = json_decode($text, true);
    echo json_encode([is_signed($document, false, $key), is_signed($document, true, $key)]);
}
