package main

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/facesoft/lapse/config"
)

// A list of servers would let absence be proved on one while the rows lie on another.
func TestDSNNamesOneServer(t *testing.T) {
	for name, c := range map[string]struct {
		dsn       string
		addresses []string
		refused   string
	}{
		"One":           {dsn: "clickhouse://lapse@first:9000", addresses: []string{"first:9000"}},
		"OneWithTLS":    {dsn: "clickhouse://lapse@first:9440?secure=true", addresses: []string{"first:9440"}},
		"Several":       {dsn: "clickhouse://lapse:hunter2@first:9000,second:9000", refused: "names 2 servers; name one"},
		"SeveralInTurn": {dsn: "clickhouse://lapse:hunter2@a:1,b:2,c:3?connection_open_strategy=round_robin", refused: "names 3 servers; name one"},
	} {
		t.Run(name, func(t *testing.T) {
			settings := &config.Settings{ClickHouse: config.ClickHouseSettings{DSN: c.dsn}}
			o, err := (&installation{settings: settings}).clickhouseOptions(t.Context())
			if c.refused == "" {
				if err != nil || !slices.Equal(o.Addresses, c.addresses) {
					t.Errorf("%q, %v; want %q", o.Addresses, err, c.addresses)
				}
				return
			}
			var usage usageError
			if !errors.As(err, &usage) || !strings.Contains(err.Error(), c.refused) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%v; want a usage error that says %q and no password", err, c.refused)
			}
		})
	}
}
