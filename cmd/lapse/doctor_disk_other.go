//go:build !linux

package main

// freeBytes is not known on other systems.
func freeBytes(string) (free uint64, ok bool) { return 0, false }
