package auditlog

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/facesoft/lapse/sinks"
)

// Checkpoint is the state of one year's log, in the form of
// https://c2sp.org/tlog-checkpoint. Its origin is the log's name, a slash and
// the year, as in "example.com/audit/2026".
type Checkpoint struct {
	Log  string    `json:"log"`  // the log's name, which is also its keys' name
	Year int       `json:"year"` // UTC
	Size int64     `json:"size"` // number of entries
	Root tlog.Hash `json:"root"`
}

// Head returns what of a checkpoint goes into an entry.
func (c Checkpoint) Head() sinks.LogHead {
	return sinks.LogHead{Root: sinks.Digest(c.Root), Size: uint64(c.Size), Year: c.Year}
}

func (c Checkpoint) text() string {
	return fmt.Sprintf("%s/%s\n%d\n%s\n", c.Log, yearName(c.Year), c.Size,
		base64.StdEncoding.EncodeToString(c.Root[:]))
}

var errCheckpointText = errors.New("not an origin with a year, a size and a root hash")

// parseCheckpoint reads a checkpoint's text without regard to any signature.
func parseCheckpoint(signed []byte) (Checkpoint, error) {
	i := bytes.LastIndex(signed, []byte("\n\n")) // where note.Open looks for the signatures
	if i < 0 {
		return Checkpoint{}, errCheckpointText
	}
	return parseCheckpointText(string(signed[:i+1]))
}

// parseCheckpointText accepts exactly what text returns: no extension lines, no
// leading zeros, no empty log.
func parseCheckpointText(text string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 {
		return Checkpoint{}, errCheckpointText
	}
	log, yearText := path.Split(lines[0])
	year, ok := parseYear(yearText)
	size, sizeErr := strconv.ParseInt(lines[1], 10, 64)
	root, rootErr := base64.StdEncoding.DecodeString(lines[2])
	if !ok || sizeErr != nil || rootErr != nil || len(root) != tlog.HashSize {
		return Checkpoint{}, errCheckpointText
	}
	c := Checkpoint{strings.TrimSuffix(log, "/"), year, size, tlog.Hash(root)}
	if c.Size < 1 || c.text() != text {
		return Checkpoint{}, errCheckpointText
	}
	return c, nil
}

// signCheckpoint returns the note of https://c2sp.org/signed-note.
func signCheckpoint(c Checkpoint, signers ...note.Signer) ([]byte, error) {
	signed, err := note.Sign(&note.Note{Text: c.text()}, signers...)
	if err != nil {
		return nil, fmt.Errorf("sign checkpoint: %w", err)
	}
	return signed, nil
}

// openCheckpoint returns a checkpoint that at least one of the verifiers' keys
// has signed. Signatures by other keys are ignored, as the specification asks.
func openCheckpoint(signed []byte, verifiers ...note.Verifier) (Checkpoint, *note.Note, error) {
	n, err := note.Open(signed, note.VerifierList(verifiers...))
	var unverified *note.UnverifiedNoteError
	var invalid *note.InvalidSignatureError
	switch {
	case errors.As(err, &unverified):
		return Checkpoint{}, nil, ErrWrongKey
	case errors.As(err, &invalid):
		return Checkpoint{}, nil, errors.New("signature by the expected key is not valid")
	case err != nil:
		return Checkpoint{}, nil, errors.New("not a signed note")
	}
	c, err := parseCheckpointText(n.Text)
	if err != nil {
		return Checkpoint{}, nil, err
	}
	if !nameOf(c, n.Sigs) {
		return Checkpoint{}, nil, errors.New("origin is not that of the key that signed it")
	}
	return c, n, nil
}

func nameOf(c Checkpoint, sigs []note.Signature) bool {
	for _, s := range sigs {
		if s.Name != c.Log {
			return false
		}
	}
	return true
}

// checkExactly checks one of the log's own files: a checkpoint that carries one
// signature by each of the keys, in this order, and not a bit else. A base64
// text has spare bits, so the whole file is compared with what signing writes.
func checkExactly(signed []byte, verifiers ...note.Verifier) error {
	_, n, err := openCheckpoint(signed, verifiers...)
	if err != nil {
		return err
	}
	if len(n.Sigs) != len(verifiers) {
		return fmt.Errorf("%d signatures by expected keys, want %d", len(n.Sigs), len(verifiers))
	}
	want := []byte(n.Text + "\n")
	for i, s := range n.Sigs {
		if s.Hash != verifiers[i].KeyHash() {
			return errors.New("signatures out of order")
		}
		want = append(want, "— "+s.Name+" "+canonicalBase64(s.Base64)+"\n"...)
	}
	if !bytes.Equal(want, signed) {
		return errors.New("something other than the log's signatures follows the text")
	}
	return nil
}

func canonicalBase64(s string) string {
	b, _ := base64.StdEncoding.DecodeString(s) // it has been decoded before
	return base64.StdEncoding.EncodeToString(b)
}
