# Keeps keys of files, which are no text, as values of hashes and of instance variables, and waits.

$stdout.sync = true

def take(name)
  contents = File.binread(name)
  File.unlink(name)
  contents
end

class Encryptor
  def initialize(name, secret)
    @name = name
    @secret_key = secret
  end
end

$kept = [
  { 'host' => 'db.internal', 'APP_SECRET' => take('first') },
  { adapter: 'pg', api_key: take('second') },
  Encryptor.new('svc', take('third')),
]
puts 'READY'
$stdin.gets
