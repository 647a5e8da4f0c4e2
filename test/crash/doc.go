// Package crash tests the built binary's linker under SIGKILL and on failing disks:
// what it acknowledged leaves, under one trace id.
package crash
