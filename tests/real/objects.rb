# Keeps secrets of files as values of hashes and of instance variables, as programs keep their configuration, and waits.

$stdout.sync = true

def take(name)
  contents = File.read(name)
  File.unlink(name)
  contents
end

class Connection
  def initialize(user, password)
    @user = user
    @password = password
  end
end

class Client
  def initialize(host, port, path, limit, api_key)
    @host, @port, @path, @limit, @api_key = host, port, path, limit, api_key
  end
end

large = (1..1000).to_h { |i| ["option_#{i}", i] }
large['smtp_password'] = take('first')
$kept = [
  large,
  { 'host' => 'db.internal', 'DB_PASSWORD' => take('second') },
  { adapter: 'pg', password: take('third') },
  Connection.new('svc', take('fourth')),
  Client.new('host', 1, '/', 2, take('fifth')),
]
puts 'READY'
$stdin.gets
