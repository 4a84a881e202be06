package decode

import "golang.org/x/sys/cpu"

// markAVX2 is markPlainly for at least one block, with instructions that look at 32
// bytes at once.
//
//go:noescape
func markAVX2(data *byte, blocks int, marks *uint8) (foreign bool)

func mark(data []byte, marks []uint8) (foreign bool) {
	if !cpu.X86.HasAVX2 || len(marks) == 0 {
		return markPlainly(data, marks)
	}
	_ = data[8*len(marks)-1]
	return markAVX2(&data[0], 8*len(marks)/blockSize, &marks[0])
}
