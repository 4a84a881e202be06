package sinks

import (
	"crypto/hmac"
	"crypto/sha256"
	"testing"
)

func TestTombstoneIsKnownByItsOpeningAlone(t *testing.T) {
	t.Parallel()
	key, item := LedgerKey{1, 2, 3}, ID{4, 5, 6}
	opening := key.Opening(item)
	digest := ObjectDigest(opening, "training", "o1/img-1.jpg")
	inner := hmac.New(sha256.New, opening[:]) // as the documentation has it
	inner.Write([]byte("training\x00o1/img-1.jpg"))
	if digest != Digest(inner.Sum(nil)) {
		t.Errorf("the digest is %s", digest)
	}
	for name, other := range map[string]Digest{
		"another object":        ObjectDigest(opening, "training", "o1/img-2.jpg"),
		"another bucket":        ObjectDigest(opening, "trainin", "g\x00o1/img-1.jpg"),
		"another item's object": ObjectDigest(key.Opening(ID{4, 5, 7}), "training", "o1/img-1.jpg"),
		"another key":           ObjectDigest(LedgerKey{1, 2, 4}.Opening(item), "training", "o1/img-1.jpg"),
	} {
		if other == digest {
			t.Errorf("%s has the same digest", name)
		}
	}
}
