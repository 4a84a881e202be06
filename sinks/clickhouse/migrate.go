package clickhouse

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"text/template"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// controlTables are the tables that the migrations make, and that of OpenLeases.
var controlTables = []string{
	"migrations", "sources", "seals", "publications", "runs", "tombstones", "audit", "consents", "erasures", "replays", "replaying", "training_marks", "training_strays", "hold_key", "holds", "requests", "request_notes", "request_people",
	"activations", "disclosures", "request_terms", "leases", "node",
}

// sharedControl are those of them that statements on every node look into. They lie on the
// first; what a node keeps of its own is in the others.
var sharedControl = []string{"sources", "seals", "replays", "replaying", "holds", "hold_key", "erasures"}

// migrate brings the control database up to date. The migrations are numbered,
// their statements can be repeated, and none is changed once it has been
// released.
func (s *Store) migrate(ctx context.Context) error {
	if err := s.exec(ctx, "create_migrations", s.db, nil); err != nil {
		return err
	}
	applied := map[string]bool{}
	err := s.query(ctx, "applied_migrations", s.db, nil, func(r driver.Rows) error {
		var name string
		err := r.Scan(&name)
		applied[name] = true
		return err
	})
	if err != nil {
		return err
	}
	files, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil {
		return err
	}
	var made []string
	for _, file := range files { // in the order of their numbers
		name := strings.TrimSuffix(path.Base(file), ".sql")
		if applied[name] {
			continue
		}
		if err = s.apply(ctx, file); err != nil {
			err = fmt.Errorf("migration %s: %w", name, err)
			break
		}
		made = append(made, name)
	}
	if len(made) == 0 {
		return err
	}
	return errors.Join(err, s.insert(ctx, "record_migrations", s.db, len(made), func(i int) []any { return []any{made[i]} }))
}

func (s *Store) apply(ctx context.Context, file string) error {
	t, err := template.New(path.Base(file)).Funcs(template.FuncMap{"name": quote}).ParseFS(migrationFiles, file)
	if err != nil {
		return err
	}
	var b strings.Builder
	if err := t.Execute(&b, s.db); err != nil {
		return err
	}
	for statement := range strings.SplitSeq(b.String(), ";\n") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if err := s.line.hold(ctx, notSent, func() error { return s.conn.Exec(ctx, statement) }); err != nil {
			return Redact(err)
		}
	}
	return nil
}
