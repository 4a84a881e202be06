package sinktest

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// ZooKeeper is a real one on a free loopback port: what ClickHouse Keeper stands in for.
type ZooKeeper struct {
	Address string
	config  string
	running *exec.Cmd
}

// zooKeeperClasses is where Debian's package zookeeper puts what Java has to load.
const zooKeeperClasses = "/usr/share/java/*"

// StartZooKeeper starts one for the duration of a test, and skips the test where it is
// not installed.
func StartZooKeeper(t testing.TB) *ZooKeeper {
	t.Helper()
	if found, _ := filepath.Glob("/usr/share/java/zookeeper.jar"); len(found) == 0 {
		t.Skip("ZooKeeper is not installed: apt-get install zookeeper default-jre-headless")
	}
	if _, err := exec.LookPath("java"); err != nil {
		t.Skip("Java is not installed: apt-get install default-jre-headless")
	}
	dir := t.TempDir()
	z := &ZooKeeper{Address: freeAddress(t), config: filepath.Join(dir, "zoo.cfg")}
	host, port, _ := strings.Cut(z.Address, ":")
	text := fmt.Sprintf("tickTime=500\ndataDir=%s\nclientPort=%s\nclientPortAddress=%s\nadmin.enableServer=false\n4lw.commands.whitelist=ruok\nmaxClientCnxns=0\n",
		filepath.Join(dir, "data"), port, host)
	if err := os.WriteFile(z.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { z.Stop(t) })
	z.Start(t)
	return z
}

// Start starts it again after Stop, with what it held.
func (z *ZooKeeper) Start(t testing.TB) {
	t.Helper()
	cmd := exec.Command("java", "-Xmx256m", "-cp", zooKeeperClasses, "org.apache.zookeeper.server.quorum.QuorumPeerMain", z.config)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	z.running = cmd
	for deadline := time.Now().Add(30 * time.Second); !z.answers(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			z.Stop(t)
			t.Fatalf("ZooKeeper does not answer: %s", output.String())
		}
	}
}

// Stop ends it as a power cut does.
func (z *ZooKeeper) Stop(t testing.TB) {
	t.Helper()
	if z.running == nil {
		return
	}
	_ = z.running.Process.Kill()
	_ = z.running.Wait()
	z.running = nil
}

// answers asks it by the four letters that it has for that.
func (z *ZooKeeper) answers() bool {
	conn, err := net.DialTimeout("tcp", z.Address, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close() //nolint:errcheck // a test's
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = io.WriteString(conn, "ruok")
	answer, _ := io.ReadAll(conn)
	return string(answer) == "imok"
}
