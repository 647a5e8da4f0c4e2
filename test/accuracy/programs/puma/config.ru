# A Rack application for Puma, whose reactor hands requests to threads: one call for each
# request, over the thread's kept connection or, with REUSE=off, a new one. The token goes
# along in the query.
require 'net/http'

REUSE = ENV['REUSE'] != 'off'
NEXT = ENV.fetch('NEXT').split(':')

def connection
  return Net::HTTP.start(*NEXT) unless REUSE

  Thread.current[:next] ||= Net::HTTP.start(*NEXT).tap { |kept| kept.keep_alive_timeout = 600 }
end

run(lambda do |environment|
  truth = environment['QUERY_STRING'][/\btruth=(\w+)/, 1]
  asked = connection
  body = asked.get("/call0?truth=#{truth}", REUSE ? {} : { 'Connection' => 'close' }).body
  asked.finish unless REUSE
  raise "#{truth} was answered with #{body}" unless body.include?(truth)

  [200, { 'Content-Length' => body.bytesize.to_s }, [body]]
end)
