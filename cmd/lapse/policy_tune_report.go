package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/facesoft/lapse/jobs/kanon"
)

// tuneReport is a tuning as programs read it.
type tuneReport struct {
	Dataset     string            `json:"dataset"`
	Source      string            `json:"source"`
	Notes       []string          `json:"notes,omitempty"`
	Requirement kanon.Requirement `json:"requirement"`
	Loss        kanon.Loss        `json:"loss"`
	Columns     []string          `json:"columns"`
	Vectors     int               `json:"vectors"` // that there are
	Checked     int               `json:"checked"` // whose classes were looked at
	Best        []kanon.Solution  `json:"best"`
	Chain       []kanon.Solution  `json:"chain"` // the policy's vectors, each by itself
}

func (t *tuning) columns() []string {
	var names []string
	for _, c := range t.dataset.Publish.ClassColumns() {
		names = append(names, c.Name)
	}
	return names
}

func (a *app) printTuning(t *tuning) error {
	if a.output == "json" {
		return a.printJSON(tuneReport{
			Dataset: t.dataset.Name, Source: t.source, Notes: t.notes, Requirement: t.requirement, Loss: t.loss,
			Columns: t.columns(), Vectors: t.problem.Vectors(), Checked: t.checked, Best: t.best, Chain: t.chain,
		})
	}
	a.say("%s: %s", t.dataset.Name, t.source)
	for _, note := range t.notes {
		a.say("note: %s", note)
	}
	a.say("required: %s", t.required())
	a.say("%s of %s level vectors were looked at; the levels are those of %s\n", show(t.checked), show(t.problem.Vectors()), strings.Join(t.columns(), ", "))
	var rows [][]any
	for i, s := range t.best {
		rows = append(rows, t.row(fmt.Sprintf("best %d", i+1), s))
	}
	for i, s := range t.chain {
		rows = append(rows, t.row(fmt.Sprintf("policy %d", i), s))
	}
	a.printTable([]string{
		"vector", "levels", string(t.loss.Measure), "suppressed", "classes", "smallest", "discernibility", "average class", "precision", "granularity", "fulfils",
	}, rows)
	return nil
}

func (t *tuning) row(name string, s kanon.Solution) []any {
	losses := s.Cost.Losses
	return []any{
		name, levelsOf(s), number(s.Loss),
		fmt.Sprintf("%s (%.2f%%)", show(s.Cost.Suppressed), 100*s.Cost.SuppressedShare()),
		s.Cost.Classes, s.Cost.Smallest,
		number(losses[kanon.Discernibility]), fmt.Sprintf("%.2f", losses[kanon.AverageClassSize]),
		fmt.Sprintf("%.4f", losses[kanon.Precision]), fmt.Sprintf("%.4f", losses[kanon.Granularity]),
		map[bool]string{true: "yes", false: "no"}[s.Fulfils],
	}
}

// number writes a loss with all its digits.
func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func levelsOf(s kanon.Solution) string {
	texts := make([]string, len(s.Levels))
	for i, l := range s.Levels {
		texts[i] = strconv.Itoa(l)
	}
	return strings.Join(texts, ",")
}

// required says in words what is required.
func (t *tuning) required() string {
	r := t.requirement
	var parts []string
	if r.K > 1 {
		parts = append(parts, fmt.Sprintf("k=%d", r.K))
	}
	var sensitive []string
	for _, c := range t.dataset.Publish.Columns {
		if c.Sensitive != nil {
			sensitive = append(sensitive, c.Name)
		}
	}
	for _, d := range r.Diversity {
		l := number(d.L)
		if d.Kind == kanon.Recursive {
			l = fmt.Sprintf("(%s,%s)", number(d.C), l)
		}
		parts = append(parts, fmt.Sprintf("%s l=%s of %s", d.Kind, l, sensitive[d.Sensitive]))
	}
	for _, c := range r.Closeness {
		parts = append(parts, fmt.Sprintf("t=%s of %s", number(c.T), sensitive[c.Sensitive]))
	}
	return strings.Join(append(parts, fmt.Sprintf("at most %s%% suppressed", number(100*r.SuppressionLimit))), ", ")
}

// writeProposal writes the best vector in the form that it has in a policy.
func (a *app) writeProposal(t *tuning, path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return usageError{fmt.Errorf("write proposal: %s is there already; name a new file", path)}
	}
	if err != nil {
		return fmt.Errorf("write proposal: %w", err)
	}
	_, err = f.WriteString(t.proposal())
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write proposal: %w", err)
	}
	if a.output != "json" {
		a.say("\n%s written", path)
	}
	return nil
}

func (t *tuning) proposal() string {
	best := t.best[0]
	var s strings.Builder
	fmt.Fprintf(&s, "# Proposed by 'lapse policy tune %s' for the section publish of that dataset.\n", t.dataset.Name)
	fmt.Fprintf(&s, "# Of %d level vectors it loses the least by %s: %s.\n", t.problem.Vectors(), t.loss.Measure, number(best.Loss))
	fmt.Fprintf(&s, "# Rows: %d, of which suppressed: %d (%.2f%%). Classes: %d, the smallest of %d people.\n",
		best.Cost.Rows, best.Cost.Suppressed, 100*best.Cost.SuppressedShare(), best.Cost.Classes, best.Cost.Smallest)
	fmt.Fprintf(&s, "# Required: %s.\n", t.required())
	s.WriteString("# Review it, put it in place of the same keys in the policy, and run 'lapse policy check'.\n")
	fmt.Fprintf(&s, "k: %d\n", t.requirement.K)
	if t.dataset.Publish.SuppressionLimit != nil {
		fmt.Fprintf(&s, "suppression_limit: %s\n", number(t.requirement.SuppressionLimit))
	}
	s.WriteString("chain:\n  - {")
	for i, name := range t.columns() {
		if i > 0 {
			s.WriteString(", ")
		}
		fmt.Fprintf(&s, "%s: %d", name, best.Levels[i])
	}
	s.WriteString("}\n")
	return s.String()
}
