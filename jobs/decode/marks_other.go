//go:build !amd64

package decode

func mark(data []byte, marks []uint8) (foreign bool) { return markPlainly(data, marks) }
