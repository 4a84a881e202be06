package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// minKeyLength is the least length of a write key, in bytes.
const minKeyLength = 16

// WriteKeys are what senders show to be let in. Only their digests are kept.
type WriteKeys struct{ digests [][sha256.Size]byte }

// ParseWriteKeys reads write keys, one a line; lines that begin with # are
// comments. No error holds a key.
func ParseWriteKeys(text string) (*WriteKeys, error) {
	keys := &WriteKeys{}
	number := 0
	for line := range strings.Lines(text) {
		number++
		key := strings.TrimSpace(line)
		if key == "" || strings.HasPrefix(key, "#") {
			continue
		}
		if len(key) < minKeyLength || strings.ContainsAny(key, ": \t") {
			return nil, fmt.Errorf("line %d is not a write key: use %d or more characters without spaces and colons, such as those of 'openssl rand -hex 16'", number, minKeyLength)
		}
		keys.digests = append(keys.digests, sha256.Sum256([]byte(key)))
	}
	if len(keys.digests) == 0 {
		return nil, errors.New("there is no write key; make one with 'openssl rand -hex 16'")
	}
	return keys, nil
}

// Share reports whether two sets have a key in common.
func (k *WriteKeys) Share(other *WriteKeys) bool {
	return slices.ContainsFunc(k.digests, func(d [sha256.Size]byte) bool { return slices.Contains(other.digests, d) })
}

// allow reports whether a request shows one of the keys, as the user of basic
// authentication (RFC 7617). How long it takes does not depend on the keys.
func (k *WriteKeys) allow(r *http.Request) bool {
	user, _, ok := r.BasicAuth()
	if !ok {
		return false
	}
	digest := sha256.Sum256([]byte(user))
	found := 0
	for i := range k.digests {
		found |= subtle.ConstantTimeCompare(digest[:], k.digests[i][:])
	}
	return found == 1
}
