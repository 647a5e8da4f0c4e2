// Node's HTTP/2 server, and a client that has some streams open at once, four by default.
//   node http2.js server PORT [LENGTH]             an answer has at most four times as many bytes, 300 by default
//   node http2.js client PORT N [OPEN [LENGTH]]    OPEN streams are open at a time, each sends LENGTH bytes
const http2 = require('http2')

const [what, port, ...rest] = process.argv.slice(2)

if (what === 'server') {
  const length = Number(rest[0] ?? 300)
  http2.createServer({ maxSessionMemory: 1000 }).on('stream', (stream, headers) => {
    const number = Number(headers[':path'].split('=')[1])
    stream.resume().on('end', () => setTimeout(() => {
      stream.respond({ ':status': number % 10 === 0 ? 404 : 200, 'content-type': 'text/plain' })
      stream.end('x'.repeat(number % 5 * length))
    }, number % 7))
  }).listen(Number(port), '127.0.0.1')
} else {
  const [n, concurrent = 4, length = 0] = rest.map(Number)
  const session = http2.connect('http://127.0.0.1:' + port, { maxSessionMemory: 1000 })
  let next = 0
  let open = 0
  const ask = () => {
    if (next < n) {
      open++
      const stream = session.request({ ':path': '/item?number=' + next++, ':method': length ? 'POST' : 'GET' }, { endStream: !length })
      stream.on('close', () => { open--; ask() })
      stream.resume()
      if (length) stream.end('x'.repeat(length))
    } else if (open === 0) {
      session.close()
    }
  }
  for (let i = 0; i < concurrent; i++) ask()
}
