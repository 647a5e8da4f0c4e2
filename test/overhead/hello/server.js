// Answers every HTTP request with one line. It listens on the port that is its only argument.
require('http')
  .createServer((_, response) => response.end('hello world\n'))
  .listen(Number(process.argv[2]), '127.0.0.1')
