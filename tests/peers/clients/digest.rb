# A client of Mediagenix in Ruby's standard library: RFC 2617 digest, XML, the next links, and the requests of a poller
# of events, whose event_type is empty. Credentials come from the environment, nothing is printed of them.
require "digest"
require "net/http"
require "openssl"
require "securerandom"
require "uri"

class Robot
  def initialize(base, ca_file)
    @base, @count = URI(base), 0
    @http = Net::HTTP.new(@base.host, @base.port)
    @http.use_ssl, @http.ca_file, @http.verify_mode = true, ca_file, OpenSSL::SSL::VERIFY_PEER
    @http.start
  end

  def get(target, accept = "application/xml")
    answer = @http.request(request(target, accept))
    if answer.code == "401"
      @challenge = answer["WWW-Authenticate"].scan(/(\w+)="?([^",]+)"?/).to_h
      @count = 0
      answer = @http.request(request(target, accept))
    end
    abort "HTTP #{answer.code} for #{target}" unless answer.code == "200"
    answer.body.force_encoding("UTF-8")
  end

  private

  def request(target, accept)
    request = Net::HTTP::Get.new(target, "Accept" => accept)
    request["Authorization"] = authorization("GET", target) if @challenge
    request
  end

  def authorization(method, target)
    user, password = ENV.fetch("ROBOT_USER"), ENV.fetch("ROBOT_PASSWORD")
    nc, cnonce = format("%08x", @count += 1), SecureRandom.hex(8)
    ha1 = Digest::MD5.hexdigest("#{user}:#{@challenge["realm"]}:#{password}")
    ha2 = Digest::MD5.hexdigest("#{method}:#{target}")
    proof = Digest::MD5.hexdigest([ha1, @challenge["nonce"], nc, cnonce, "auth", ha2].join(":"))
    %(Digest username="#{user}", realm="#{@challenge["realm"]}", nonce="#{@challenge["nonce"]}", uri="#{target}", ) +
      %(qop=auth, nc=#{nc}, cnonce="#{cnonce}", response="#{proof}", opaque="#{@challenge["opaque"]}")
  end
end

robot = Robot.new(*ARGV)
titles, target = 0, "/api/titles?per_page=200"
while target
  page = robot.get(target)
  titles += page.scan("<title><id").size
  target = page[/<link rel="next" href="([^"]+)"/, 1]&.gsub("&amp;", "&")
  target &&= URI(target).request_uri
end
newest = robot.get("/api/events?newer_than=&event_type=").scan(%r{<event><id type="integer">(\d+)</id>}).flatten
batch = robot.get("/api/events?newer_than=#{newest[-11]}&event_type=").scan(%r{<event><id type="integer">(\d+)</id>}).flatten
puts titles, newest.size, batch == newest.last(10)
