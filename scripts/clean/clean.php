<?php
// A process of PHP without secrets: the functions of all extensions loaded, data in memory.
$rows = [];
for ($n = 0; $n < 400000; $n++) {
    $rows[] = ['id' => $n, 'name' => "row $n", 'digest' => hash('sha256', (string) $n)];
}
$json = json_encode($rows);
$kept = json_decode($json, true);
$functions = get_defined_functions();
$extensions = array_map(fn ($name) => get_extension_funcs($name), get_loaded_extensions());
ob_start();
phpinfo();
$info = ob_get_clean();
echo "ready\n";
sleep(1000000);
