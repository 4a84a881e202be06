package config

import (
	"crypto/sha256"
	"fmt"
	"os"
)

// LoadPolicy reads and checks the policy in file. Every fault found is named
// with its line, column and cure; errors.As finds the *Fault.
func LoadPolicy(file string) (*Policy, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("load policy: %w", err)
	}
	return ParsePolicy(file, raw)
}

// ParsePolicy reads and checks a policy; file is its name in errors, and its folder is
// where the files lie that it names.
func ParsePolicy(file string, raw []byte) (*Policy, error) {
	p := &Policy{File: file, Hash: sha256.Sum256(raw)}
	root, err := decode(file, raw, p)
	if err != nil {
		return nil, err
	}
	r := &reporter{file: file, root: root}
	p.resolve(r)
	p.check(r)
	if err := r.err(); err != nil {
		return nil, err
	}
	return p, nil
}
