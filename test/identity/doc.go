// Package identity tests on the kernel it runs on that the two ends of a request are
// named alike, whatever lies between them: address translation, loss, wrapped sequence
// numbers, sockets in other namespaces and in several processes' hands.
//
// Real programs send real requests through network namespaces of the test's own, and a
// receiver in a process of its own traces them. It needs root, and nft and ip. With
// SEQLINK_IDENTITY_LONG=1 a test sends a million requests over ten thousand connections.
package identity
