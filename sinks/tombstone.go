package sinks

import (
	"crypto/hmac"
	"crypto/sha256"
	"time"
)

// Tombstone is what is left of a purged item: nothing by which it could be known, but
// for who has the key of the tombstones and asks for an object by its name.
type Tombstone struct {
	Item       ID
	Object     Digest // see ObjectDigest; zero where there was no key
	Rule       Rule
	Bytes      uint64
	Objects    uint64 // the item itself and its derivatives
	UploadedAt time.Time
	PurgedAt   time.Time
	Models     []string // trained on it
}

// TombstoneLedger is the name of the key of the tombstones. Without it, once it is
// destroyed, no tombstone can be told to be of a certain object.
const TombstoneLedger = "tombstones"

// Opening returns the salt of one tombstone: HMAC-SHA256 (RFC 2104) of the item's id, 16
// bytes, under the key of the tombstones. Who is given it can check which object the
// tombstone is of, and learns nothing about any other.
func (k LedgerKey) Opening(item ID) Digest {
	h := hmac.New(sha256.New, k[:])
	h.Write(item[:])
	return Digest(h.Sum(nil))
}

// ObjectDigest returns HMAC-SHA256 under a tombstone's opening of the bucket's name, a
// zero byte, and the object's key. The content is no part of it: an object that is
// elsewhere, too, must not be found by it.
func ObjectDigest(opening Digest, bucket, key string) Digest {
	h := hmac.New(sha256.New, opening[:])
	h.Write([]byte(bucket))
	h.Write([]byte{0})
	h.Write([]byte(key))
	return Digest(h.Sum(nil))
}
