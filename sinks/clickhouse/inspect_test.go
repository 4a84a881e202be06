package clickhouse_test

import (
	"strings"
	"testing"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks/clickhouse"
	"github.com/facesoft/lapse/sinks/sinktest"
)

func TestInspectionFindsWhatAUserLacks(t *testing.T) {
	t.Parallel()
	p := sinktest.Policy(t, config.Facesoft)
	s, o := sinktest.Store(t, p)
	i, err := s.Inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(i.Missing) > 0 || i.ReadOnly || !i.Prepared || i.Schema != nil || len(i.Mutations) > 0 || !strings.HasPrefix(i.Version, "26.") {
		t.Errorf("%+v", i)
	}
	if d := time.Since(i.Now); d < -time.Second || d > 10*time.Second {
		t.Errorf("the server's clock says %s", i.Now)
	}
	if len(i.Disks) == 0 || i.Disks[0].Total < i.Disks[0].Free {
		t.Errorf("%+v", i.Disks)
	}
	e := sinktest.Engine(t)
	o.User, o.Password = e.AnalystUser, e.AnalystPassword
	analyst, err := clickhouse.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer analyst.Close() //nolint:errcheck // a test's
	if i, err = analyst.Inspect(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !i.CanGrants || len(i.Missing) != 4 || !strings.HasPrefix(i.Missing[0], "GRANT SHOW, SELECT, INSERT, ALTER, CREATE DATABASE, CREATE TABLE, CREATE VIEW, DROP TABLE, DROP VIEW, OPTIMIZE ON `"+o.Databases.Telemetry+"`.* TO `analyst`") || !i.ReadOnly {
		t.Errorf("%+v", i)
	}
	if reads, err := analyst.Reads(t.Context()); reads || err != nil {
		t.Errorf("%t, %v", reads, err)
	}
	if reads, err := s.Reads(t.Context()); !reads || err != nil {
		t.Errorf("%t, %v", reads, err)
	}
}
