<?php
// Pledg's signatures in plain PHP: purchase settings are signed, notifications are checked. Written from the vendor's
// documents, without its modules. Reads JSON from standard input; the secret comes from the environment.

function encoded(string $data): string
{
    return rtrim(strtr(base64_encode($data), "+/", "-_"), "=");
}

function signed(array $claims, string $secret): string
{
    $text = encoded('{"typ":"JWT","alg":"HS256"}') . "." . encoded(json_encode($claims));
    return $text . "." . encoded(hash_hmac("sha256", $text, $secret, true));
}

function genuine_token(string $token, string $secret): bool
{
    $parts = explode(".", $token);
    if (count($parts) !== 3) {
        return false;
    }
    $header = json_decode(base64_decode(strtr($parts[0], "-_", "+/")), true);
    $mac = encoded(hash_hmac("sha256", "$parts[0].$parts[1]", $secret, true));
    return ($header["alg"] ?? "") === "HS256" && hash_equals($mac, $parts[2]);
}

function genuine(?array $body, string $secret): bool
{
    if ($body === null || !is_string($body["signature"] ?? null)) {
        return false;
    }
    if (count($body) === 1) {
        return genuine_token($body["signature"], $secret);
    }
    $pairs = [];
    foreach (["created_at", "error", "id", "reference", "sandbox", "status"] as $name) {
        $value = $body[$name] ?? "";
        $pairs[] = "$name=" . (is_bool($value) ? ($value ? "true" : "false") : $value);
    }
    return hash_equals(strtoupper(hash("sha256", implode($secret, $pairs))), $body["signature"]);
}

$given = json_decode(stream_get_contents(STDIN), true);
$secret = getenv("MERCHANT_SECRET");
$check = fn($text) => genuine(json_decode($text, true), $secret);
echo json_encode(["token" => signed($given["claims"], $secret), "genuine" => array_map($check, $given["bodies"])]);
