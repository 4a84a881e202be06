package sinks

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"regexp"
)

// ID is a 128-bit identifier: random for entries, runs and tombstones, a
// digest for steps and records. It never encodes personal data that could be
// read back out of it. Its text form is 32 lower-case hexadecimal digits.
type ID [16]byte

// NewID returns a random ID from the operating system's generator.
func NewID() ID {
	var id ID
	// crypto/rand.Read never fails; it ends the program instead.
	_, _ = rand.Read(id[:])
	return id
}

// HashID returns the first 128 bits of SHA-256 over parts, each preceded by
// its length, so that no two lists of parts collide by concatenation.
func HashID(parts ...string) ID {
	h := sha256.New()
	for _, p := range parts {
		_, _ = fmt.Fprintf(h, "%d:%s", len(p), p) // a hash takes everything
	}
	var id ID
	copy(id[:], h.Sum(nil))
	return id
}

// CombineIDs returns what stands for a set of digests, whatever their order: their
// sum in two halves (an incremental hash of multisets, Clarke et al. 2003).
func CombineIDs(ids []ID) (sum ID) {
	var high, low uint64
	for i := range ids {
		high += binary.BigEndian.Uint64(ids[i][:8])
		low += binary.BigEndian.Uint64(ids[i][8:])
	}
	binary.BigEndian.PutUint64(sum[:8], high)
	binary.BigEndian.PutUint64(sum[8:], low)
	return sum
}

// IsZero reports whether id is unset.
func (id ID) IsZero() bool { return id == ID{} }

// Bits returns the first 64 bits of id: what the rows of a source carry of its
// digest.
func (id ID) Bits() uint64 { return binary.BigEndian.Uint64(id[:8]) }

func (id ID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText implements encoding.TextMarshaler.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (id *ID) UnmarshalText(text []byte) error {
	return unhex(id[:], text)
}

// Digest is a SHA-256 digest. Its text form is 64 lower-case hexadecimal digits.
type Digest [sha256.Size]byte

// IsZero reports whether d is unset.
func (d Digest) IsZero() bool { return d == Digest{} }

func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText implements encoding.TextMarshaler.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Digest) UnmarshalText(text []byte) error {
	return unhex(d[:], text)
}

// unhex decodes text into dst; only the canonical lower-case form is accepted,
// so that a value has exactly one encoding in the audit log.
func unhex(dst, text []byte) error {
	if len(text) != hex.EncodedLen(len(dst)) {
		return fmt.Errorf("want %d hexadecimal digits, got %d", hex.EncodedLen(len(dst)), len(text))
	}
	if _, err := hex.Decode(dst, text); err != nil {
		return err
	}
	if hex.EncodeToString(dst) != string(text) {
		return fmt.Errorf("hexadecimal digits must be lower case")
	}
	return nil
}

// Name is an identifier that a policy defines: a dataset, a rule, a policy's
// name or version. Its field is unexported so that no string reaches an audit
// entry by accident: a Name is made by ParseName from a policy and from
// nothing else.
type Name struct{ s string }

var namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,62}$`)

// ParseName returns s as a Name. Names are 1 to 63 bytes of a-z, 0-9, "_",
// "." and "-", and begin with a letter or a digit.
func ParseName(s string) (Name, error) {
	if !namePattern.MatchString(s) {
		return Name{}, fmt.Errorf("%q is not a name: use 1 to 63 of a-z, 0-9, '_', '.', '-', beginning with a letter or digit", s)
	}
	return Name{s}, nil
}

// MustName is ParseName for constants; it panics on a malformed name.
func MustName(s string) Name {
	n, err := ParseName(s)
	if err != nil {
		panic(err)
	}
	return n
}

// IsZero reports whether n is unset.
func (n Name) IsZero() bool { return n.s == "" }

func (n Name) String() string { return n.s }

// MarshalText implements encoding.TextMarshaler.
func (n Name) MarshalText() ([]byte, error) { return []byte(n.s), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (n *Name) UnmarshalText(text []byte) (err error) {
	*n, err = ParseName(string(text))
	return err
}
