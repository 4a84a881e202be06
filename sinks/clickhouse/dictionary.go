package clickhouse

import (
	"fmt"
	"strings"

	"github.com/facesoft/lapse/config"
)

// DictionaryTable describes a table that analysts can read, exactly as it is created.
type DictionaryTable struct {
	Database string             `json:"database"`
	Name     string             `json:"name"`
	Meaning  string             `json:"meaning"`
	Clause   string             `json:"clause"` // of the policy
	K        int                `json:"k"`
	Chain    []string           `json:"chain"` // the level vectors that are tried, in words
	Columns  []DictionaryColumn `json:"columns"`
	Views    []DictionaryView   `json:"views,omitempty"`
}

// DictionaryView describes a view of such a table.
type DictionaryView struct {
	Name    string   `json:"name"`
	Meaning string   `json:"meaning"`
	Columns []string `json:"columns"`
	Select  string   `json:"select"`
}

// DictionaryColumn describes one of its columns.
type DictionaryColumn struct {
	Name    string   `json:"name"`
	Type    string   `json:"type"` // as ClickHouse has it
	Meaning string   `json:"meaning"`
	Field   string   `json:"field,omitempty"`  // category and field of the policy
	Clause  string   `json:"clause,omitempty"` // that describes the category
	Levels  []string `json:"levels,omitempty"` // from fine to coarse
}

// Dictionary describes the tables of the anonymised database, in the policy's order.
func Dictionary(p *config.Policy, db Databases) (tables []DictionaryTable, err error) {
	for i := range p.Datasets {
		d := &p.Datasets[i]
		if d.Publish == nil {
			continue
		}
		made := analyticsTable(p, db, d)
		t := DictionaryTable{Database: made.Database, Name: made.Name, Meaning: d.Description, Clause: d.Clause, K: d.Publish.K, Chain: chainWords(d.Publish)}
		for _, c := range made.Columns {
			t.Columns = append(t.Columns, dictionaryColumn(p, d, c))
		}
		for j := range d.Publish.Views {
			v, err := newView(db, d, &d.Publish.Views[j])
			if err != nil {
				return nil, err
			}
			t.Views = append(t.Views, DictionaryView{v.Name, d.Publish.Views[j].Description, v.columnNames(), v.Select})
		}
		tables = append(tables, t)
	}
	return tables, nil
}

func dictionaryColumn(p *config.Policy, d *config.Dataset, made tableColumn) DictionaryColumn {
	c := DictionaryColumn{Name: made.Name, Type: made.Type, Meaning: made.Comment}
	for _, published := range d.Publish.Columns {
		if published.Name != made.Name {
			continue
		}
		source, _ := d.Column(published.From)
		c.Field, c.Meaning = source.Field, published.Description
		if c.Meaning == "" {
			c.Meaning, _ = p.FieldDescription(source.Field)
		}
		c.Clause = p.FieldClause(source.Field)
		for _, l := range published.Levels {
			c.Levels = append(c.Levels, l.String())
		}
	}
	return c
}

// chainWords says for each vector of a publication what becomes of each column in it.
func chainWords(u *config.Publication) (words []string) {
	columns := u.ClassColumns()
	for _, vector := range u.Vectors() {
		levels := make([]string, len(columns))
		for i, c := range columns {
			levels[i] = fmt.Sprintf("%s: %s", c.Name, c.Levels[vector[i]])
		}
		words = append(words, strings.Join(levels, "; "))
	}
	return words
}
