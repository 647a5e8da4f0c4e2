// Package config tests what a user meets first: the built binary's answers to
// configurations, good and bad.
package config
