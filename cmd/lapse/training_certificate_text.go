package main

import (
	_ "embed"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

//go:embed training_certificate.html.tmpl
var certificateText string

var certificatePage = template.Must(template.New("").Funcs(template.FuncMap{"show": show, "size": humanize.IBytes, "join": strings.Join, "words": wordsOf}).Parse(certificateText))

// clauseText writes a clause as the policy does.
func clauseText(n sinks.Name) string { return strings.ToUpper(n.String()) }

// wordsOf writes a word of a vocabulary for people.
func wordsOf(word any) string { return strings.ReplaceAll(fmt.Sprint(word), "_", " ") }

// Remediation says what has to become of a model that was trained on what was
// destroyed.
type Remediation string

// The classes of remediation.
const (
	// RemediationNone: the item was used as long as its purpose lasted, with consent.
	RemediationNone Remediation = "none"
	// RemediationAssess: the training was lawful when it happened (Article 7(3) GDPR).
	// Whether the model itself holds personal data has to be assessed case by case
	// (EDPB, Opinion 28/2024).
	RemediationAssess Remediation = "assess"
	// RemediationRetrain: there was no legal basis for the training. Retrain without
	// the item, or retire the model.
	RemediationRetrain Remediation = "retrain_or_retire"
)

// remediations are the classes by the rule that an item was destroyed by.
var remediations = map[sinks.Rule]Remediation{
	sinks.RulePurposeCompleted: RemediationNone,
	sinks.RuleUploaded:         RemediationNone,
	sinks.RuleConsentWithdrawn: RemediationAssess,
	sinks.RuleErasure:          RemediationAssess,
	sinks.RuleConsentAbsent:    RemediationRetrain,
	sinks.RuleChildUnconfirmed: RemediationRetrain,
}

// severity orders the classes.
var severity = []Remediation{RemediationNone, RemediationAssess, RemediationRetrain}

// affectedModel is a model that was trained on some of what was destroyed, with the
// gravest class of all of these.
type affectedModel struct {
	Model       string      `json:"model"`
	Items       uint64      `json:"items"` // of those destroyed
	Remediation Remediation `json:"remediation"`
}

// addUp fills in the totals.
func (c *certificate) addUp(p *config.Policy) {
	c.Totals, c.ByRule, c.Models = destroyed{}, nil, []affectedModel{}
	for _, item := range c.Items {
		c.Totals.add(item)
		n := slices.IndexFunc(c.ByRule, func(r destroyedRule) bool { return r.Rule == item.Rule && r.Clause == item.Clause })
		if n < 0 {
			n = len(c.ByRule)
			r := destroyedRule{Rule: item.Rule, Clause: item.Clause}
			if w, ok := windowOf(p, item.Rule); ok {
				r.Rationale = strings.TrimSpace(w.Rationale)
			}
			c.ByRule = append(c.ByRule, r)
		}
		c.ByRule[n].add(item)
		for _, model := range item.Models {
			c.addModel(model, remediations[item.Rule])
		}
	}
}

func (d *destroyed) add(item certifiedItem) {
	d.Items, d.Objects, d.Bytes = d.Items+1, d.Objects+item.Objects, d.Bytes+item.Bytes
}

func (c *certificate) addModel(model string, class Remediation) {
	n := slices.IndexFunc(c.Models, func(m affectedModel) bool { return m.Model == model })
	if n < 0 {
		n = len(c.Models)
		c.Models = append(c.Models, affectedModel{Model: model, Remediation: RemediationNone})
	}
	m := &c.Models[n]
	m.Items++
	m.Remediation = severity[max(slices.Index(severity, m.Remediation), slices.Index(severity, class))]
}

// why says why an item was not destroyed.
func (k keptItem) why() string {
	if k.Until.IsZero() {
		return string(k.Error)
	}
	return fmt.Sprintf("%s, its store keeps it locked until %s (UTC)", k.Error, show(k.Until))
}

// printCertificate says in short what a certificate certifies.
func (a *app) printCertificate(c *certificate) {
	a.say("Certificate of destruction, issued %s (UTC) by %s", show(c.Issued), c.Controller.Name)
	a.say("data protection officer: %s %s", c.DPO.Name, c.DPO.Email)
	a.say("policy: %s %s, SHA-256 %s", c.Policy.Name, c.Policy.Version, c.Policy.Hash)
	a.say("run %s as of %s (UTC): %d items, %d objects, %s\n", c.Run, show(c.AsOf), c.Totals.Items, c.Totals.Objects, humanize.IBytes(c.Totals.Bytes))
	var rows [][]any
	for _, r := range c.ByRule {
		rows = append(rows, []any{string(r.Rule), r.Clause, r.Items, r.Objects, byteCount(r.Bytes)})
	}
	a.printTable([]string{"rule", "clause", "items", "objects", "bytes"}, rows)
	rows = nil
	for _, m := range c.Models {
		rows = append(rows, []any{m.Model, m.Items, wordsOf(m.Remediation)})
	}
	if len(rows) > 0 {
		a.say("")
		a.printTable([]string{"model trained on it", "items", "remediation"}, rows)
	}
	for _, k := range c.Kept {
		a.say("not destroyed: %s (%s): %s", k.Item, k.Rule, k.why())
	}
	a.say("\nproofs are in the certificate as JSON or as a page: --output json, --html")
}
