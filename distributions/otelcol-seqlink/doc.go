// Package distribution holds the tests of the files beside it: the binary's
// manifest, and what it takes to run otelcol-seqlink as a service, in a container
// and in a cluster.
package distribution
