package clickhouse

import (
	"fmt"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// restrictedRows is what the condition is rendered from under which somebody whom a row is
// about has asked that it is kept and not used (Article 18 GDPR).
type restrictedRows struct {
	Control        string
	Database, Name string   // whose rows
	Ties           *table   // where people are tied
	Subjects       []string // quoted
	Restriction    string   // begins the reasons of such holds
}

func (s *Store) restrictedRowsOf(d *config.Dataset) restrictedRows {
	t := s.tables[d.Name]
	r := restrictedRows{Control: s.db.Control, Database: t.Database, Name: t.Name, Ties: s.everywhere(t), Restriction: sinks.RestrictionReason}
	for _, name := range d.Subject {
		r.Subjects = append(r.Subjects, quote(name))
	}
	return r
}

// readableView is the view of a personal table for people who may read it: without whom
// has asked for restriction, from the moment on in which that is entered. It reads with
// the rights of Lapse's own user, so that its readers need none on the table.
func (s *Store) readableView(d *config.Dataset) (*view, error) {
	v := &view{Database: s.db.Readable, Name: d.Name, Table: d.Name, Definer: true}
	data := struct {
		restrictedRows
		Columns []string
	}{restrictedRows: s.restrictedRowsOf(d)}
	for _, c := range d.Columns {
		data.Columns = append(data.Columns, quote(c.Name))
	}
	var err error
	if v.Select, err = render("view_readable", data); err != nil {
		return nil, err
	}
	sum := digest(v.Select)
	v.Comment = fmt.Sprintf("%s (%s); from %s, without people who have asked for restriction; definition %x", d.Description, d.Clause, d.Name, sum[:8])
	return v, nil
}
