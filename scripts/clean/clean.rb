# A process of Ruby without secrets: libraries that services load, a request to itself, data in memory.
require "json"
require "net/http"
require "openssl"
require "digest"
require "socket"
require "yaml"
require "erb"
require "csv"
require "rubygems/specification"

rows = (0...200_000).map { |n| { id: n, name: "row #{n}", digest: Digest::SHA256.hexdigest(n.to_s) } }
server = TCPServer.new("127.0.0.1", 0)
Thread.new do
  loop do
    client = server.accept
    client.gets
    body = JSON.generate(rows.first(5000))
    client.write("HTTP/1.1 200 OK\r\nContent-Length: #{body.bytesize}\r\nConnection: close\r\n\r\n#{body}")
    client.close
  end
end
$kept = JSON.parse(Net::HTTP.get(URI("http://127.0.0.1:#{server.addr[1]}/")))
$stdout.puts "ready"
$stdout.flush
sleep
