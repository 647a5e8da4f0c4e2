<?php
// A PHP page in Apache's pre-forked processes: one call for each request, over a new
// connection, as curl's do not outlive the request. The token goes along in the query.
$truth = $_GET['truth'];
$call = curl_init('http://' . getenv('NEXT') . "/call0?truth=$truth");
curl_setopt($call, CURLOPT_RETURNTRANSFER, true);
$body = curl_exec($call);
if ($body === false || !str_contains($body, $truth)) {
    http_response_code(500);
    $body = "$truth was answered with " . var_export($body, true);
}
header('Content-Length: ' . strlen($body));
echo $body;
