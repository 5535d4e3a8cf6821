# What incident reports tell of memory: read by structures.py like cases.py.
TYPES["phpid"] = lambda: letters("abcdefghijklmnopqrstuv" + DIGITS, 25) + RANDOM.choice(DIGITS)
H64 = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
TYPES["ntlm"] = lambda: os.urandom(16).hex()
TYPES["NTLM"] = lambda: os.urandom(16).hex().upper()
TYPES["yes"] = lambda: "$y$j9T$"+letters(H64,22)+"$"+letters(H64,43)
TYPES["sha512c"] = lambda: "$6$"+letters(H64,16)+"$"+letters(H64,86)
TYPES["sha512r"] = lambda: "$6$rounds=656000$"+letters(H64,16)+"$"+letters(H64,86)
TYPES["sha256c"] = lambda: "$5$"+letters(H64,16)+"$"+letters(H64,43)
TYPES["md5c"] = lambda: "$1$"+letters(H64,8)+"$"+letters(H64,22)
TYPES["apr1"] = lambda: "$apr1$"+letters(H64,8)+"$"+letters(H64,22)
TYPES["bc"] = lambda: "$2b$12$"+letters(H64,53)
TYPES["bcy"] = lambda: "$2y$10$"+letters(H64,53)
TYPES["shab64"] = lambda: "{SHA}"+b64(os.urandom(20))
TYPES["hvs"] = lambda: "hvs.CAESI"+letters(WORD+"_-",86)
TYPES["s24"] = lambda: "s."+letters(WORD,24)
TYPES["ghs"] = lambda: "ghs_"+letters(WORD,36)
TYPES["ecs40"] = TYPES["aws40"]
TYPES["iqo"] = lambda: "IQoJb3JpZ2luX2Vj"+letters(WORD+"/+",400)+"=="
TYPES["azjwt"] = jwt
TYPES["u16b64pw"] = lambda: b64((password()+"Password").encode("utf-16-le"))
case("ntlm",
  pwdump="Administrator:500:aad3b435b51404eeaad3b435b51404ee:{{ntlm}}:::\n",
  domain="CORP\\krbtgt:502:aad3b435b51404eeaad3b435b51404ee:{{ntlm}}:::\n",
  domaindot="corp.internal\\alice:1131:aad3b435b51404eeaad3b435b51404ee:{{NTLM}}:::\n",
  machine="DC01$:1000:aad3b435b51404eeaad3b435b51404ee:{{ntlm}}:::\n",
  hashes="secretsdump.py -hashes aad3b435b51404eeaad3b435b51404ee:{{ntlm}} corp/alice@dc01",
  colonh="psexec.py -hashes :{{ntlm}} corp/alice@dc01",
  mimi="  .#####.   mimikatz\n * Username : alice\n * Domain   : CORP\n * NTLM     : {{ntlm}}\n * SHA1     : {{hex40}}\n",
  mimipw=" * Username : alice\n * Domain   : CORP.INTERNAL\n * Password : {{pw}}\n",
  smbpasswd="alice:1001:XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX:{{NTLM}}:[U          ]:LCT-5F3A1B2C:\n",
  smbpasswdlm="bob:1002:{{NTLM}}:{{NTLM}}:[U          ]:LCT-5F3A1B2C:\n",
  krbaes="alice:aes256-cts-hmac-sha1-96:{{hex64}}\nalice:aes128-cts-hmac-sha1-96:{{hex32}}\nalice:des-cbc-md5:{{!hex32}}\n",
)
case("shadow",
  yes="root:{{yes}}:19775:0:99999:7:::\n",
  sha512="deploy:{{sha512c}}:19775:0:99999:7:::\n",
  sha512r="deploy:{{sha512r}}:19775:0:99999:7:::\n",
  sha256="a:{{sha256c}}:1:0:99999:7:::\n",
  bc="svc:{{bc}}:19775:0:99999:7:::\n",
  md5="old:{{md5c}}:15000:0:99999:7:::\n",
)
case("htpasswd",
  apr="alice:{{apr1}}\n",
  bc="bob:{{bcy}}\n",
  sha="carol:{{shab64}}\n",
  sha5="dave:{{sha512c}}\n")
case("java",
  ks="-Djavax.net.ssl.keyStore=/srv/a.p12\0-Djavax.net.ssl.keyStorePassword={{pw}}\0-Djavax.net.ssl.trustStorePassword={{pw}}\0",
  ksline="-Djavax.net.ssl.keyStorePassword={{pw}} -Dcom.sun.management.jmxremote.password.file=/x",
  prop="javax.net.ssl.keyStorePassword={{pw}}\njavax.net.ssl.trustStorePassword={{pw}}\n",
  map="{javax.net.ssl.keyStorePassword={{pw}}, java.home=/usr}",
  catalina="<Connector SSLEnabled=\"true\" keystoreFile=\"a\" keystorePass=\"{{pw}}\" truststorePass=\"{{pw}}\"/>",
  kafka="ssl.keystore.password={{pw}}\nssl.key.password={{pw}}\nsasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username=\"a\" password=\"{{pw}}\";\n",
  springy="spring:\n  datasource:\n    username: app\n    password: {{pw}}\n",
  springe="SPRING_DATASOURCE_PASSWORD={{pw}}\0SPRING_RABBITMQ_PASSWORD={{pw}}\0",
  springp="spring.datasource.password={{pw}}\nspring.redis.password={{pw}}\n",
   jolokia="{\"name\":\"systemProperties\",\"properties\":{\"spring.datasource.password\":{\"value\":\"{{pw}}\"}}}",
)
case("k8s",
  secretj="{\"kind\":\"Secret\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"db\"},\"data\":{\"password\":\"{{pwb64}}\",\"username\":\"YWRtaW4=\"},\"type\":\"Opaque\"}",
  secrety="apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\ntype: Opaque\ndata:\n  password: {{pwb64}}\n  api-token: {{pwb64}}\n",
  stringdata="kind: Secret\nstringData:\n  password: {{pw}}\n  connection: postgres://a:{{pw}}@db/crm\n",
  secretjs="{\"apiVersion\":\"v1\",\"data\":{\"DB_PASSWORD\":\"{{pwb64}}\",\"tls.key\":\"{{pemkey}}\"},\"kind\":\"Secret\"}",
  dockercfg="{\"auths\":{\"registry.corp.internal\":{\"username\":\"ci\",\"password\":\"{{pw}}\",\"auth\":\"{{basic}}\"}}}",
  inspect="\"Env\": [\n  \"POSTGRES_PASSWORD={{pw}}\",\n  \"PATH=/bin\"\n],",
  satoken="/var/run/secrets/kubernetes.io/serviceaccount/token\0{{jwt}}\0",
  envj="{\"name\":\"DB_PASSWORD\",\"value\":\"{{pw}}\"}",
  envj2="{\"env\":[{\"name\":\"API_TOKEN\",\"value\":\"{{tok32}}\"},{\"name\":\"LANG\",\"value\":\"C\"}]}",
  bootstrap="kubeadm join 10.0.0.1:6443 --token {{kubeadm}} --discovery-token-ca-cert-hash sha256:{{!hex64}}",
  swarm="docker swarm join --token SWMTKN-1-{{low50}}-{{low25}} 10.0.0.1:2377",
)
TYPES["kubeadm"] = lambda: letters(LOWER+DIGITS,6)+"."+letters(LOWER+DIGITS,16)
TYPES["low50"] = lambda: letters(LOWER+DIGITS,50)
TYPES["low25"] = lambda: letters(LOWER+DIGITS,25)
TYPES["pemkey"] = lambda: b64(subprocess.run(["openssl","genpkey","-algorithm","ec","-pkeyopt","ec_paramgen_curve:P-256"],check=True,capture_output=True).stdout)
case("cloud",
  ecs="{\"RoleArn\":\"arn:aws:iam::111122223333:role/a\",\"AccessKeyId\":\"ASIA2OGYBAH6RRD5TQOP\",\"SecretAccessKey\":\"{{ecs40}}\",\"Token\":\"{{iqo}}\",\"Expiration\":\"2026-11-30T10:00:00Z\"}",
  imds="{\n  \"Code\" : \"Success\",\n  \"Type\" : \"AWS-HMAC\",\n  \"AccessKeyId\" : \"ASIA2OGYBAH6RRD5TQOP\",\n  \"SecretAccessKey\" : \"{{ecs40}}\",\n  \"Token\" : \"{{iqo}}\",\n  \"Expiration\" : \"2026\"\n}",
  imdstoken="X-aws-ec2-metadata-token: {{imdsv2}}\r\n",
  process="{\"Version\":1,\"AccessKeyId\":\"ASIA2OGYBAH6RRD5TQOP\",\"SecretAccessKey\":\"{{ecs40}}\",\"SessionToken\":\"{{iqo}}\"}",
  sdk="AwsSessionCredentials(accessKeyId=ASIA2OGYBAH6RRD5TQOP, secretAccessKey={{ecs40}}, sessionToken={{iqo}})",
  botocore="{'access_key': 'ASIA2OGYBAH6RRD5TQOP', 'secret_key': '{{ecs40}}', 'token': '{{iqo}}'}",
  ecsenv="AWS_CONTAINER_AUTHORIZATION_TOKEN={{tok40}}\0",
  azimds="{\"access_token\":\"{{azjwt}}\",\"client_id\":\"{{!uuid}}\",\"expires_in\":\"86400\",\"resource\":\"https://vault.azure.net\",\"token_type\":\"Bearer\"}",
  azsecret="IDENTITY_HEADER={{uuid}}\0MSI_SECRET={{hex32}}\0IDENTITY_ENDPOINT=http://localhost:42356/msi/token\0",
  gcp="{\"access_token\":\"{{ya29}}\",\"expires_in\":3599,\"token_type\":\"Bearer\"}",
  gcp2="{\"access_token\":\"{{ya29c}}\",\"expires_in\":3599,\"token_type\":\"Bearer\"}",
  tfstate="{\"type\":\"aws_db_instance\",\"instances\":[{\"attributes\":{\"address\":\"db\",\"master_password\":\"{{pw}}\",\"password\":\"{{pw}}\"}}]}",
  tfkey="\"attributes\": {\"id\":\"AKIA2OGYBAH6RRD5TQOP\",\"secret\":\"{{ecs40}}\",\"ses_smtp_password_v4\":\"{{ses}}\"}",
  tfrandom="\"type\": \"random_password\",\"instances\":[{\"attributes\":{\"bcrypt_hash\":\"{{bc}}\",\"length\":20,\"result\":\"{{pw}}\"}}]",
  tfsens="\"outputs\": {\"db_password\": {\"value\": \"{{pw}}\", \"type\": \"string\", \"sensitive\": true}}",
  vault="VAULT_TOKEN={{hvs}}\0",
  vault2="X-Vault-Token: {{s24}}\r\n",
  vault3="{\"auth\":{\"client_token\":\"{{hvs}}\",\"accessor\":\"{{!tok20}}\"}}",
  vaultbare="{{hvs}}",
  vaultold="VAULT_TOKEN={{s24}}\0",
  vaultres="{\"data\":{\"data\":{\"db\":\"{{!tok20}}\",\"password\":\"{{pw}}\"}}}",
  runner="ACTIONS_RUNTIME_TOKEN={{jwt}}\0ACTIONS_ID_TOKEN_REQUEST_TOKEN={{jwt}}\0GITHUB_TOKEN={{ghs}}\0",
  runner2="{\"variables\":{\"system.github.token\":{\"value\":\"{{ghs}}\",\"isSecret\":true},\"secrets.DB\":{\"value\":\"{{pw}}\",\"isSecret\":true}}}",
  glrunner="CI_JOB_TOKEN=glcbt-64_{{tok20}}\0CI_REGISTRY_PASSWORD={{tok20}}\0",
)
TYPES["imdsv2"] = lambda: "AQAE"+letters(WORD+"_-",50)+"=="
TYPES["ya29c"] = lambda: "ya29.c."+letters(WORD+"_-",900)
TYPES["ses"] = lambda: "B"+letters(WORD+"/+",43)
case("windows",
  unattend="<AutoLogon><Password><Value>{{pw}}</Value><PlainText>true</PlainText></Password><Enabled>true</Enabled><Username>Administrator</Username></AutoLogon>",
  unattend64="<AdministratorPassword><Value>{{u16b64pw}}</Value><PlainText>false</PlainText></AdministratorPassword>",
  domainjoin="<Credentials><Domain>corp</Domain><Password>{{pw}}</Password><Username>join</Username></Credentials>",
  freerdp="xfreerdp /v:srv /u:alice /p:{{pw}} /cert:ignore",
  freerdpv="xfreerdp\0/v:srv\0/u:alice\0/p:{{pw}}\0",
  rdesktop="rdesktop -u alice -p {{pw}} srv",
  cmdkey="cmdkey /generic:TERMSRV/srv /user:alice /pass:{{pw}}",
  netuse="net use Z: \\\\srv\\share {{pw}} /user:CORP\\alice",
  netuser="net user alice {{pw}} /add",
  psexec="psexec \\\\srv -u CORP\\alice -p {{pw}} cmd.exe",
  plink="plink.exe -ssh alice@srv -pw {{pw}} ls",
  plinkv="plink\0-pw\0{{pw}}\0alice@srv\0",
  winscp="winscp.com /command \"open sftp://alice:{{pw}}@srv/\"",
  schtasks="schtasks /create /tn a /tr b /ru CORP\\alice /rp {{pw}}",
  secstr="ConvertTo-SecureString \"{{pw}}\" -AsPlainText -Force",
  secstr2="ConvertTo-SecureString -String '{{pw}}' -AsPlainText -Force",
  wmic="wmic /node:srv /user:CORP\\alice /password:{{pw}} process list",
  sqlcmd="sqlcmd -S db -U sa -P {{pw}}",
  bcp="bcp db.t out f -U sa -P {{pw}} -S db",
  rdpfile="password 51:b:{{hex128}}\r\n",
  evil="evil-winrm -i 10.0.0.1 -u alice -p {{pw}}",
  netexec="nxc smb 10.0.0.1 -u alice -p {{pw}}",
)
case("argv2",
  curlu="curl -u svc:{{pw}} https://api",
  curluv="curl\0-u\0svc:{{pw}}\0https://api\0",
  curlus="curl -usvc:{{pw}} https://a",
  mysqlp="mysql\0-u\0root\0-p{{pw}}\0",
  mysqlpw="mysqldump --user=root --password={{pw}} crm",
  psql="psql postgresql://app:{{pw}}@db:5432/crm",
  psqlkv="psql \"host=db user=app password={{pw}}\"",
  sshpass="sshpass -p {{pw}} ssh root@srv",
  sshpassq="sshpass -p '{{pw}}' ssh root@srv",
  sshpassj="sshpass\0-p{{pw}}\0ssh\0",
  sshenv="SSHPASS={{pw}}\0",
  lftp="lftp -u svc,{{pw}} ftp.corp.internal",
  ncftp="ncftpget -u svc -p {{pw}} ftp a",
  mongosh="mongosh --username app --password {{pw}} db",
  redis="redis-cli -a {{pw}}",
  influx="influx -username admin -password {{pw}}",
  rabbit="rabbitmqadmin -u a -p {{pw}} list",
  ipmi="ipmitool -I lanplus -H bmc -U ADMIN -P {{pw}} power status",
  snmp="snmpget -v3 -u admin -l authPriv -a SHA -A {{pw}} -x AES -X {{pw}} host",
  ldapw="ldapwhoami -x -D cn=a -w {{pw}}",
  kinit="echo {{pw}} | kinit alice",
  sudo="echo {{pw}} | sudo -S ls",
  chpasswd="echo 'root:{{pw}}' | chpasswd",
  useradd="useradd -p {{sha512c}} a",
  openssl="openssl enc -aes-256-cbc -k {{pw}} -in a",
  opensslpass="openssl rsa -in k.pem -passin pass:{{pw}}",
  gpg="gpg --batch --passphrase {{pw}} -d a.gpg",
  borg="BORG_PASSPHRASE={{pw}}\0RESTIC_PASSWORD={{pw}}\0",
  sshkeygen="ssh-keygen -t ed25519 -N {{pw}} -f k",
  svn="svn co --username a --password {{pw}} https://s",
  jarsign="jarsigner -keystore a.jks -storepass {{pw}} a.jar b",
  adduser="mosquitto_pub -h h -u a -P {{pw}} -t t -m m",
  nmcli="nmcli dev wifi connect ap password {{pw}}",
  wpa="network={\n ssid=\"corp\"\n psk=\"{{pw}}\"\n}",
  davmount="mount -t cifs //nas/d /mnt -o username=svc,password={{pw}},vers=3.0",
  teslap="az login -u a@b.c -p {{pw}}",
  azsp="az login --service-principal -u {{!uuid}} -p {{azcs}} --tenant {{!uuid}}",
)
TYPES["azcs"] = lambda: letters(WORD,3)+"8Q~"+letters(WORD+"_~.-",34)
case("sess",
  railskey="secret_key_base: {{hex128}}\n",
  railscookie="_app_session={{rails}}; path=/; HttpOnly",
  djcookie="sessionid={{low32}}; csrftoken={{!tok32}}",
  laravel="laravel_session={{laravel}}",
  expr="connect.sid={{express}}",
  aspc=".AspNetCore.Cookies={{cfdj8}}; path=/",
  aspc1=".AspNetCore.CookiesC1={{cfdj8}}; path=/",
  php="PHPSESSID={{tok26}}",
  phpsess="/var/lib/php/sessions/sess_{{phpid}}",
  jsess="JSESSIONID={{jsess}}",
  jsessurl="/app;jsessionid={{jsess}}?a=1",
  spring="SESSION={{spr}}; Path=/",
  springid="spring:session:sessions:{{uuid}}",
  djredis=":1:django.contrib.sessions.cache{{low32}}",
  exprredis="sess:{{express32}}",
  tomcatobj="StandardSession[{{jsess}}]",
)
TYPES["spr"] = lambda: b64(str(uuids.uuid4()).encode())
TYPES["express32"] = lambda: letters(WORD+"_-",32)
