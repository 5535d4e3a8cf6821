<?php
// Keeps secrets of files in arrays and in properties of objects, as programs keep their configuration, and waits.
function take($name)
{
    $contents = file_get_contents($name);
    unlink($name);
    return $contents;
}

class Connection
{
    public $host = "db.internal";
    private $password;
    protected ?string $apiToken = null;

    public function __construct($password, $token)
    {
        $this->password = $password;
        $this->apiToken = $token;
    }
}

class Pool extends Connection
{
    public $size = 4;
}

$config = ["host" => "db.internal", "DB_PASSWORD" => take("first"), "port" => 3306];
$nested = ["default" => ["driver" => "mysql", "password" => take("second")]];
$large = [];
for ($i = 0; $i < 1000; $i++) {
    $large["option_$i"] = $i;
}
$large["smtp_passwd"] = take("third");
$referred = take("fourth");
$reference = ["auth_token" => &$referred];
$connection = new Connection(take("fifth"), take("sixth"));
$pool = new Pool(take("seventh"), take("eighth"));
// What is said of a secret is none.
$rules = ["password" => "required|confirmed", "secret" => "The provided secret is not right."];
echo "READY\n";
fgets(STDIN);
