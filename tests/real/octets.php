<?php
// Keeps keys of files, which are no text, in arrays and in properties of objects, and waits.
function take($name)
{
    $contents = file_get_contents($name);
    unlink($name);
    return $contents;
}

class Encrypter
{
    private $secretKey;

    public function __construct($key)
    {
        $this->secretKey = $key;
    }
}

$config = ["cipher" => "AES-256-CBC", "app_secret" => take("first"), "debug" => false];
$encrypter = new Encrypter(take("second"));
$large = [];
for ($i = 0; $i < 1000; $i++) {
    $large["option_$i"] = $i;
}
$large["api_key"] = take("third");
echo "READY\n";
fgets(STDIN);
