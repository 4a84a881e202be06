package engine

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

// gate is the pipe that the engine's first query waits for; see passGate.
const gate = "gate"

// mainQuery waits at the gate, opens the ports and then keeps the engine up without
// end: the engine ends with it. So it takes no part in the count of the engine's memory,
// or it might be the one that is refused when others use up what there is.
const mainQuery = "SELECT ignore(file('" + gate + "')) FORMAT Null; " +
	"SYSTEM START LISTEN TCP; SYSTEM START LISTEN HTTP; " +
	"SELECT sleepEachRow(3) FROM system.numbers FORMAT Null SETTINGS max_block_size = 1, max_untracked_memory = 1099511627776"

//go:embed config.xml.tmpl users.xml.tmpl
var templates embed.FS

var configuration = template.Must(template.New("").Funcs(template.FuncMap{
	"sha256": func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return hex.EncodeToString(sum[:])
	},
	"xml": func(s string) (string, error) {
		var b strings.Builder
		err := xml.EscapeText(&b, []byte(s))
		return b.String(), err
	},
	"host": func(address string) (string, error) {
		host, _, err := net.SplitHostPort(address)
		return host, err
	},
	"port": func(address string) (string, error) {
		_, port, err := net.SplitHostPort(address)
		return port, err
	},
	"quote": func(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" },
}).ParseFS(templates, "*.tmpl"))

// configurationFiles are the engine's configuration, written anew, mode 0600,
// at every start.
type configurationFiles struct{ Server, Users, Log string }

func writeConfiguration(o Options, c Connection) (configurationFiles, error) {
	files := configurationFiles{
		Server: filepath.Join(o.Dir, "config.xml"),
		Users:  filepath.Join(o.Dir, "users.xml"),
		Log:    logFile(o.Dir),
	}
	keeper, port, _ := net.SplitHostPort(o.Keeper)
	data := map[string]any{"Connection": c, "Files": files, "ReadsFiles": o.Files != "", "Grants": o.Grants, "KeeperHost": keeper, "KeeperPort": port, "Cluster": o.Cluster}
	for path, name := range map[string]string{files.Server: "config.xml.tmpl", files.Users: "users.xml.tmpl"} {
		var b strings.Builder
		if err := configuration.ExecuteTemplate(&b, name, data); err != nil {
			return files, fmt.Errorf("write engine configuration: %w", err)
		}
		if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			return files, err
		}
	}
	return files, nil
}

// arguments are those of clickhouse-local.
func arguments(o Options, c Connection, files configurationFiles) []string {
	_, tcp, _ := net.SplitHostPort(c.Address)
	_, http, _ := net.SplitHostPort(c.HTTPAddress)
	return []string{
		"clickhouse",
		"--path=" + storeDir(o.Dir),
		"--config-file=" + files.Server,
		"--listen_host=127.0.0.1",
		"--tcp_port=" + tcp,
		"--http_port=" + http,
		"--log-level=error", // the levels below print queries
		"--query=" + mainQuery,
	}
}

// The files of an engine's folder, beside the store itself.
func connectionFile(dir string) string { return filepath.Join(dir, "connection.json") }
func logFile(dir string) string        { return filepath.Join(dir, "engine.log") }
func outputFile(dir string) string     { return filepath.Join(dir, "engine.out") }
func storeDir(dir string) string       { return filepath.Join(dir, "store") }
func lockFile(dir string) string       { return filepath.Join(dir, "engine.lock") }
