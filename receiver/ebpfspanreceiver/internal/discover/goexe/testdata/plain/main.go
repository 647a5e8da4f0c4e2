// Command plain has no use for net/http.
package main

func main() { println("plain") }
