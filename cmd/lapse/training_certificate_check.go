package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/mod/sumdb/note"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/auditlog"
)

// The marks between which a page holds the certificate for programs.
var (
	certificateBegins = []byte(`<script type="application/json" id="certificate">`)
	certificateEnds   = []byte(`</script>`)
)

// findCertificate returns the certificate in a file, which is the file itself or in a
// page; nil if there is none.
func findCertificate(content []byte) []byte {
	if _, rest, ok := bytes.Cut(content, certificateBegins); ok {
		inner, _, _ := bytes.Cut(rest, certificateEnds)
		return inner
	}
	if bytes.HasPrefix(bytes.TrimSpace(content), []byte("{")) {
		return content
	}
	return nil
}

// checkCertificate holds a certificate against its proofs.
func checkCertificate(raw []byte, keys []note.Verifier) (*certificate, error) {
	var c certificate
	in := json.NewDecoder(bytes.NewReader(raw))
	in.DisallowUnknownFields()
	if err := in.Decode(&c); err != nil {
		return nil, fmt.Errorf("is not a certificate: %w", err)
	}
	if c.Format != certificateFormat {
		return nil, fmt.Errorf("has format %d; this program reads %d", c.Format, certificateFormat)
	}
	if len(c.Items) == 0 {
		return nil, errors.New("certifies nothing")
	}
	seen := map[sinks.ID]bool{}
	for _, item := range c.Items {
		if seen[item.Item] {
			return nil, fmt.Errorf("names item %s twice", item.Item)
		}
		seen[item.Item] = true
		r, err := auditlog.CheckProof([]byte(item.Proof), keys...)
		if err != nil {
			return nil, fmt.Errorf("does not prove item %s: %w", item.Item, err)
		}
		if err := c.agrees(item, r); err != nil {
			return nil, fmt.Errorf("says of item %s what its entry in the log does not: %w", item.Item, err)
		}
	}
	again := certificate{Items: c.Items}
	again.addUp(&config.Policy{})
	for i := range c.ByRule {
		c.ByRule[i].Rationale = "" // words of the policy: nothing to be added up
	}
	if again.Totals != c.Totals || !slices.Equal(again.ByRule, c.ByRule) || !slices.Equal(again.Models, c.Models) {
		return nil, errors.New("has sums that are not those of its items")
	}
	return &c, nil
}

// agrees compares an item with its entry of the audit log.
func (c *certificate) agrees(item certifiedItem, r auditlog.Record) error {
	e := r.Entry
	counts := map[sinks.Count]uint64{sinks.CountObjects: 1, sinks.CountDerivatives: item.Objects - 1, sinks.CountBytes: item.Bytes}
	maps.DeleteFunc(counts, func(_ sinks.Count, n uint64) bool { return n == 0 })
	for what, same := range map[string]bool{
		"what was done": e.Action == sinks.ActionPurgeItem && e.Phase == sinks.Outcome && (e.Result == sinks.ResultDone || e.Result == sinks.ResultUnchanged),
		"the item":      e.Item == item.Item,
		"the object":    e.Object == item.Object,
		"the rule":      e.Rule == item.Rule && clauseText(e.Clause) == item.Clause,
		"the times":     e.Due.Equal(item.Due) && e.AsOf.Equal(c.AsOf) && slices.Equal(e.Stages, item.Stages),
		"the counts":    maps.Equal(e.Counts, counts),
		"the policy":    e.Policy == c.Policy,
		"the run":       e.Run == c.Run,
		"the place":     r.Position.String() == item.Entry,
	} {
		if !same {
			return errors.New(what)
		}
	}
	return nil
}

// isOf reports whether every item of a certificate was an object: only who was given the
// openings can tell.
func (c *certificate) isOf(object objectName) error {
	for _, item := range c.Items {
		switch {
		case item.Object.IsZero() || item.Opening.IsZero():
			return fmt.Errorf("says of item %s nothing by which its object could be known; one that does is made by 'lapse training certificate --object KEY'", item.Item)
		case item.Object != sinks.ObjectDigest(item.Opening, object.bucket, object.key):
			return fmt.Errorf("is of another object: item %s is not the one that was named", item.Item)
		}
	}
	return nil
}

// printChecked says what a certificate has been found to certify.
func (a *app) printChecked(c *certificate) error {
	return a.tell(map[string]any{"proved": true, "items": c.Totals.Items, "objects": c.Totals.Objects, "run": c.Run, "policy": c.Policy},
		"proved: run %s destroyed %d items, %d objects, under policy %s %s", c.Run, c.Totals.Items, c.Totals.Objects, c.Policy.Name, c.Policy.Version)
}
