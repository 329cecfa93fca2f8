# Gets a URL with Net::HTTP, which checks the age of its connection at each request. Times are in seconds.
#
# usage: idle_net_http.rb URL TIMES PAUSE KEEP_ALIVE_TIMEOUT

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
