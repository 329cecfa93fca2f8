# Gets a URL by Net::HTTP, which looks at the age of its connection at each request. Its arguments are the URL, how often, the
# pause after each time and for how long the connection is kept, in seconds.

require "net/http"

url = URI(ARGV[0])
pause, kept = ARGV[2..].map(&:to_f)
http = Net::HTTP.new(url.host, url.port, nil)
http.keep_alive_timeout = kept
http.start do
  ARGV[1].to_i.times do
    http.get(url.path).value
    sleep pause
  end
end
