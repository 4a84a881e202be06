package traffic

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// decide enters what is decided about images after their upload: one image in
// ten without consent gets it within minutes, one in twelve with consent loses
// it within four months, some of these by a person's word for all images of
// theirs, and some get it back.
func (w *training) decide() {
	for i := range w.truth.Items {
		item := &w.truth.Items[i]
		uploaded := instantOf(item.Uploaded)
		switch {
		case !item.Consent && w.r.IntN(5) == 0:
			w.decideLater(Decision{Granted: true, Key: item.Key}, uploaded+w.within(minute, 10*minute))
		case !item.Consent || w.r.IntN(12) > 0:
		case len(item.Subjects) > 0 && w.r.IntN(6) == 0:
			user := item.Subjects[0]
			w.decideLater(Decision{Subject: user}, w.lastSeen[user]+w.within(hour, 30*day))
		default:
			at := uploaded + w.within(hour, 120*day)
			_, departs := w.departed[item.Organisation]
			if w.decideLater(Decision{Key: item.Key}, at) && !departs && w.r.IntN(6) == 0 {
				w.decideLater(Decision{Granted: true, Key: item.Key}, at+w.within(day, 20*day))
			}
		}
	}
	slices.SortStableFunc(w.truth.Decisions, func(a, b Decision) int { return a.At.Compare(b.At) })
}

func (w *training) within(low, high instant) instant {
	return low + instant(w.r.Int64N(int64(high-low)))
}

// decideLater enters a decision unless the period is over by then.
func (w *training) decideLater(d Decision, at instant) bool {
	if at >= w.end {
		return false
	}
	d.At = at.time()
	w.enterDecision(d)
	return true
}

func (w *training) enterDecision(d Decision) {
	w.truth.Decisions = append(w.truth.Decisions, d)
	at, decision := instantOf(d.At), "withdrawn"
	if d.Granted {
		decision = "granted"
	}
	b := w.beginEntry("training_consent", at)
	b = appendText(b, "decision", decision)
	switch {
	case d.Key != "":
		b = appendText(b, "key", d.Key)
	case d.Subject != "":
		b = appendText(b, "subject", d.Subject)
	default:
		b = appendText(b, "organisation", d.Organisation)
	}
	w.endEntry(b, "training_consent", at)
}

func (w *training) beginEntry(kind string, at instant) []byte {
	b := appendText([]byte{'{'}, "type", kind)
	b = appendUUID(b, "messageId", w.seed.uuid(trainingIDs, uint64(len(w.entries))))
	return appendTime(b, "at", at)
}

func (w *training) endEntry(b []byte, kind string, at instant) {
	b = endObject(b)
	b[len(b)-1] = '\n' // for the comma that endObject leaves
	w.entries = append(w.entries, entry{at, kind, b})
}

// writeManifests writes all entries in order of their times.
func (w *training) writeManifests() error {
	slices.SortStableFunc(w.entries, func(a, b entry) int { return cmp.Compare(a.at, b.at) })
	for _, e := range w.entries {
		file, err := w.out.write(e.at, e.line)
		if err != nil {
			return err
		}
		file.addRecord(e.at, len(e.line), e.kind, clean)
	}
	return nil
}

// writeImage writes the image of an item and returns its SHA-256 in hexadecimal.
func (w *training) writeImage(item *Item) (sum string, err error) {
	side := between(w.pixels, 5, 8) * 16
	if w.object, err = appendJPEG(w.object[:0], w.pixels, side, side*3/4); err != nil {
		return "", err
	}
	item.Bytes = len(w.object)
	digest := sha256.Sum256(w.object)
	return hex.EncodeToString(digest[:]), w.writeObject(item.Key)
}

// writeDerivatives makes up to three things out of an image.
func (w *training) writeDerivatives(item *Item, stem string) (err error) {
	names := []string{".crop-1.jpg", ".embedding.bin", ".thumb.jpg"}
	w.r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	for _, name := range names[:w.r.IntN(len(names)+1)] {
		w.object = w.object[:0]
		if strings.HasSuffix(name, ".bin") {
			w.object = appendEmbedding(w.object, w.pixels)
		} else if w.object, err = appendJPEG(w.object, w.pixels, 32, 32); err != nil {
			return err
		}
		key := "derived/" + stem + name
		if err := w.writeObject(key); err != nil {
			return err
		}
		item.Derivatives = append(item.Derivatives, key)
	}
	return nil
}

func (w *training) writeObject(key string) error {
	name := "bucket/" + key
	file, err := w.create(name)
	if err != nil {
		return fmt.Errorf("create %s: %w", name, err)
	}
	if _, err := file.Write(w.object); err != nil {
		_ = file.Close() // the failed write is what matters
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("close %s: %w", name, err)
	}
	return nil
}
