// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/rpc/api"
	"github.com/openledger/openledger/testnet/bundle"
	"github.com/openledger/openledger/testnet/localnet"
)

// TestMain lets the scripts run this test binary as the program.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"openledger": main})
}

// TestScripts runs every documented command as its user would. Beside the
// commands of testscript a script has:
//
//	exits CODE program args…     run a program and want its exit code
//	onejson [FILE]               want exactly one JSON document, on stdout or in FILE
//	mkjoin FILE SEED             write a network file of a network of its own
//	mktx FILE SENDER             write an unsigned transaction as `tx build` does; SENDER
//	                             is an address or a file with one
//	flip FILE OFFSET             change one byte; a negative offset counts from the end
//	post URL BODY                what curl -d does
//	examples URL                 call every method's example; none may be malformed or fail
//	follow URL N                 read N server-sent events; want no gap and no repeat
//
// $PORT is the first port of a free block for `testnet up`.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script",
		Setup: setupScript,
		// A command that hangs is stopped, with its goroutines printed.
		Deadline: time.Now().Add(2 * time.Minute),
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "onejson": oneJSON, "mkjoin": mkJoin, "mktx": mkTx, "flip": flip, "post": post, "examples": examples, "follow": follow,
		},
	})
}

func setupScript(e *testscript.Env) error {
	e.Setenv("OPENLEDGER_HOME", filepath.Join(e.WorkDir, "home"))
	e.Setenv("OPENLEDGER_NODE", "http://127.0.0.1:1") // nothing answers there
	port, err := freePorts()
	if err != nil {
		return err
	}
	e.Setenv("PORT", strconv.Itoa(port))
	e.Defer(func() { // a script that failed leaves no process behind
		if n, err := localnet.Open(filepath.Join(e.WorkDir, "net")); err == nil {
			_ = n.Down()
		}
	})
	return os.MkdirAll(filepath.Join(e.WorkDir, "home"), 0o700)
}

// freePorts finds a port that is free, as is the one 1,000 above it.
func freePorts() (int, error) {
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if port > 64_000 {
			continue
		}
		if l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port+1_000))); err == nil {
			l.Close()
			return port, nil
		}
	}
	return 0, errors.New("no free ports")
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE program args…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	err = ts.Exec(args[1], args[2:]...)
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		code, err = ended.ExitCode(), nil
	}
	ts.Check(err)
	if code != want {
		ts.Fatalf("exit code %d, not %d", code, want)
	}
	if stderr := ts.ReadFile("stderr"); want == exitUsage && bytes.Count([]byte(stderr), []byte("\n")) != 1 {
		ts.Fatalf("bad input gives %q, not one line", stderr)
	}
}

func oneJSON(ts *testscript.TestScript, neg bool, args []string) {
	file := "stdout"
	if len(args) > 0 {
		file = args[0]
	}
	text := ts.ReadFile(file)
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	var v any
	err := d.Decode(&v)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("more than one document")
		}
	}
	if (err != nil) != neg {
		ts.Fatalf("%s is %q: %v", file, text, err)
	}
}

func mkJoin(ts *testscript.TestScript, _ bool, args []string) {
	seed, err := strconv.Atoi(args[1])
	ts.Check(err)
	key := keys.FromSeed([32]byte{byte(seed)})
	account := keys.SingleAuth(key.Public()).Address()
	doc, err := genesis.Local(genesis.LocalConfig{Network: "local", TimeMS: 1_700_000_000_000,
		Validators: []genesis.Member{genesis.Validator(account, key, 1)}})
	ts.Check(err)
	ts.Check(bundle.New(doc, []string{}).Save(ts.MkAbs(args[0])))
}

func mkTx(ts *testscript.TestScript, _ bool, args []string) {
	text := args[1]
	if _, err := keys.ParseAddress(text); err != nil {
		text = strings.TrimSpace(ts.ReadFile(text))
	}
	sender, err := keys.ParseAddress(text)
	ts.Check(err)
	p := &tx.Transfer{To: keys.ModuleAddress("faucet"), Amount: 1_500_000_000, Memo: []byte{}}
	fields, err := json.Marshal(p)
	ts.Check(err)
	b := tx.Body{Kind: p.Kind(), Sender: sender, MaxFee: 12_000, ValidUntil: 100, Payload: p}
	file, err := json.Marshal(txFile{Kind: p.Kind().String(), Fields: fields, Chain: [32]byte{7}, Body: b.Bytes()})
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), file, 0o600))
}

func flip(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	b, err := os.ReadFile(path)
	ts.Check(err)
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	if at < 0 {
		at += len(b)
	}
	b[at] ^= 1
	ts.Check(os.WriteFile(path, b, 0o600))
}

func post(ts *testscript.TestScript, _ bool, args []string) {
	resp, err := http.Post(args[0], "application/x-www-form-urlencoded", strings.NewReader(args[1]))
	ts.Check(err)
	defer resp.Body.Close()
	_, err = io.Copy(ts.Stdout(), resp.Body)
	ts.Check(err)
}

func examples(ts *testscript.TestScript, _ bool, args []string) {
	for _, m := range api.Methods() {
		if m.Socket() || m.Perm == api.Admin {
			continue
		}
		resp, err := http.Post(args[0], "", strings.NewReader(m.Request()))
		ts.Check(err)
		var a struct {
			Result json.RawMessage `json:"result"`
			Error  *struct {
				Code int           `json:"code"`
				Data api.ErrorData `json:"data"`
			} `json:"error"`
		}
		err = json.NewDecoder(resp.Body).Decode(&a)
		resp.Body.Close()
		ts.Check(err)
		if a.Error == nil {
			continue
		}
		switch a.Error.Code {
		case api.CodeInternal, api.CodeInvalidParams, api.CodeInvalidRequest, api.CodeNoMethod:
			ts.Fatalf("%s: %+v", m.Name, a.Error)
		}
		ts.Logf("%s: %+v", m.Name, a.Error)
	}
}

func follow(ts *testscript.TestScript, _ bool, args []string) {
	left, err := strconv.Atoi(args[1])
	ts.Check(err)
	resp, err := http.Get(args[0])
	ts.Check(err)
	defer resp.Body.Close()
	height, seq := 0, 0
	for lines := bufio.NewScanner(resp.Body); left > 0; {
		if !lines.Scan() {
			ts.Fatalf("the stream ended: %v", lines.Err())
		}
		var h, q int
		if n, _ := fmt.Sscanf(lines.Text(), "id: %d.%d", &h, &q); n != 2 {
			continue
		}
		if (h != height || q != seq+1) && (h != height+1 || q != 0) {
			ts.Fatalf("after event %d.%d comes %d.%d", height, seq, h, q)
		}
		height, seq, left = h, q, left-1
	}
}
