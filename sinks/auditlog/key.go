package auditlog

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/facesoft/lapse/sinks"
)

// Signer signs the checkpoints of a log. Its Name is the log's name, its
// signatures are Ed25519 over the text of the note, and its KeyHash is that of
// https://c2sp.org/signed-note. A key management service can stand behind it;
// PrivateKey is the signer whose key is in this process.
type Signer interface {
	note.Signer
	PublicKey() sinks.PublicKey
}

var _ Signer = (*PrivateKey)(nil)

// PrivateKey is an Ed25519 key that signs checkpoints. Printing it shows its
// public half.
type PrivateKey struct {
	note.Signer
	public sinks.PublicKey
	secret string
}

// NewKey makes a key for the log of the given name: a URL without a scheme, such
// as "example.com/audit", without white space and plus signs.
func NewKey(log string) (*PrivateKey, error) {
	secret, _, err := note.GenerateKey(rand.Reader, log)
	if err != nil {
		return nil, fmt.Errorf("make audit key: the log's name may not be empty nor contain white space or '+'")
	}
	return ParseKey(secret)
}

const ed25519Algorithm = 1 // of https://c2sp.org/signed-note

// ParseKey reads a private key in the encoding of golang.org/x/mod/sumdb/note,
// "PRIVATE+KEY+<name>+<hash>+<key>", as it stands in a key file or comes from the
// environment. Its errors quote nothing of it.
func ParseKey(secret string) (*PrivateKey, error) {
	secret = strings.TrimSpace(secret)
	signer, err := note.NewSigner(secret)
	if err != nil {
		return nil, errors.New("parse audit key: not a private key beginning with PRIVATE+KEY+")
	}
	data, err := keyData(secret)
	if err != nil {
		return nil, err
	}
	public := ed25519.NewKeyFromSeed(data[1:]).Public().(ed25519.PublicKey)
	return &PrivateKey{signer, sinks.PublicKey(public), secret}, nil
}

// keyData returns the algorithm and seed behind the fourth plus sign; base64 may
// have more of them.
func keyData(secret string) ([]byte, error) {
	fields := strings.SplitN(secret, "+", 5)
	if len(fields) == 5 {
		data, err := base64.StdEncoding.DecodeString(fields[4])
		if err == nil && len(data) == 1+ed25519.SeedSize && data[0] == ed25519Algorithm {
			return data, nil
		}
	}
	return nil, errors.New("parse audit key: not an Ed25519 key")
}

// LoadKey reads a private key from a file that SaveKey or the operator wrote. A
// file that others may read, or the group may change, is refused.
func LoadKey(path string) (*PrivateKey, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("load audit key: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o037 != 0 {
		return nil, fmt.Errorf("load audit key: %s is open to others (mode %#o): chmod 600 it, and rotate the key if it may have been read",
			path, mode)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load audit key: %w", err)
	}
	return ParseKey(string(b))
}

// Save writes the key to a new file with mode 0600, durably, and its public half
// beside it with ".pub" at the end of the name. It never replaces a file.
func (k *PrivateKey) Save(path string) error {
	if err := createFile(path, 0o600, k.secret+"\n"); err != nil {
		return fmt.Errorf("save audit key: %w", err)
	}
	if err := createFile(path+".pub", 0o644, k.VerifierKey()+"\n"); err != nil {
		return fmt.Errorf("save public audit key: %w", err)
	}
	return nil
}

func createFile(path string, mode fs.FileMode, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close(), syncDir(path))
}

// PublicKey implements Signer.
func (k *PrivateKey) PublicKey() sinks.PublicKey { return k.public }

// VerifierKey returns the public key in the encoding of a public key file.
func (k *PrivateKey) VerifierKey() string { return VerifierKey(k.Name(), k.public) }

func (k *PrivateKey) String() string { return k.VerifierKey() }

// GoString keeps the secret out of %#v.
func (k *PrivateKey) GoString() string { return k.VerifierKey() }

// VerifierKey returns a public key in the "<name>+<hash>+<key>" encoding of
// golang.org/x/mod/sumdb/note, which other tools for tlog-tiles read as well.
func VerifierKey(log string, key sinks.PublicKey) string {
	text, err := note.NewEd25519VerifierKey(log, key[:])
	if err != nil {
		panic("auditlog: an Ed25519 public key has 32 bytes")
	}
	return text
}

// Verifier is a log's public key. Its text form is that of VerifierKey.
type Verifier struct {
	note.Verifier
	text string
}

func (v *Verifier) String() string { return v.text }

// ParseVerifier reads a public key as VerifierKey writes it.
func ParseVerifier(text string) (*Verifier, error) {
	text = strings.TrimSpace(text)
	v, err := note.NewVerifier(text)
	if err != nil {
		return nil, errors.New("parse public audit key: not of the form <name>+<hash>+<key>")
	}
	return &Verifier{v, text}, nil
}

// LoadVerifier reads a public key file.
func LoadVerifier(path string) (*Verifier, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load public audit key: %w", err)
	}
	return ParseVerifier(string(b))
}

func verifierOf(log string, key sinks.PublicKey) (*Verifier, error) {
	return ParseVerifier(VerifierKey(log, key))
}
