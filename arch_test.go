// SPDX-License-Identifier: Apache-2.0

package openledger

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/tools/go/packages"
)

const module = "github.com/openledger/openledger"

// layers is section 2 of ARCHITECTURE.md: an import may only point to a lower
// layer, or to a sibling that stands above it in the table of section 3.
var layers = []struct {
	prefix string
	layer  int
}{
	{"cmd/", 6}, {"testnet/", 5}, {"node", 4},
	{"p2p", 3}, {"gpu", 3}, {"rpc", 3},
	{"ledger", 2}, {"consensus", 1}, {"poa", 1}, {"internal/", 0}, {"docs/", 0},
}

// pure packages decide; they hold no clock, goroutine, lock, file or float.
var pure = []string{"internal/", "consensus", "poa", "ledger"}

var impureImports = strings.Fields("time context sync sync/atomic os net log math/rand math/rand/v2 crypto/rand runtime unsafe")

// homes: one home per heavy module.
var homes = map[string][]string{
	"github.com/fxamacker/cbor":                  {"internal/enc"},
	"github.com/oasisprotocol/curve25519-voi":    {"internal/keys"},
	"github.com/cloudflare/circl/":               {"internal/bls", "internal/vrf"},
	"github.com/multiformats/go-multihash":       {"internal/content"},
	"lukechampine.com/blake3":                    {"internal/content"},
	"github.com/libp2p/go-libp2p-pubsub":         {"p2p/gossip"},
	"github.com/libp2p/":                         {"p2p", "p2p/gossip", "p2p/stream", "p2p/mesh", "p2p/fetch", "p2p/peers", "p2p/p2ptest"},
	"github.com/dgraph-io/badger":                {"node/store"},
	"filippo.io/age":                             {"node/keystore"},
	"github.com/pelletier/go-toml":               {"node/config"},
	"github.com/creachadair/jrpc2":               {"rpc", "rpc/client"},
	"github.com/coder/websocket":                 {"rpc", "rpc/client"},
	"github.com/spf13/cobra":                     {"cmd/openledger"},
	"github.com/cosmos/go-bip39":                 {"node/keystore"},
	"github.com/transparency-dev/merkle":         {},
	"github.com/cockroachdb/datadriven":          {},
	"github.com/rogpeppe/go-internal/testscript": {},
	"github.com/marcopolo/simnet":                {"p2p/p2ptest"},
	"github.com/quic-go/quic-go":                 {"p2p/p2ptest"},
	"go.uber.org/fx":                             {"p2p/p2ptest"},
	"github.com/mmcloughlin/avo":                 {"gpu/cpu/kern/gen"},
	"golang.org/x/term":                          {"cmd/openledger"},
	"golang.org/x/text":                          {"gpu/format/tokenizer"},
	"golang.org/x/tools":                         {},
	"pgregory.net/rapid":                         {},
	"go.uber.org/goleak":                         {},
}

var load = sync.OnceValues(func() ([]*packages.Package, error) {
	return packages.Load(&packages.Config{
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedImports | packages.NeedSyntax |
			packages.NeedTypes | packages.NeedTypesInfo | packages.NeedExportFile,
	}, "./...")
})

func loadAll(t *testing.T) []*packages.Package {
	t.Helper()
	pkgs, err := load()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pkgs {
		for _, e := range p.Errors {
			t.Fatalf("%s: %v", p.PkgPath, e)
		}
	}
	return pkgs
}

func rel(path string) string { return strings.TrimPrefix(strings.TrimPrefix(path, module), "/") }

func layerOf(path string) int {
	for _, l := range layers {
		if path == strings.TrimSuffix(l.prefix, "/") || strings.HasPrefix(path, strings.TrimSuffix(l.prefix, "/")+"/") {
			return l.layer
		}
	}
	return -1
}

func top(path string) string { return strings.SplitN(path, "/", 2)[0] }

func isPure(path string) bool {
	return slices.ContainsFunc(pure, func(p string) bool {
		return path == p || strings.HasPrefix(path, strings.TrimSuffix(p, "/")+"/")
	})
}

func TestImportsPointDown(t *testing.T) {
	order := map[string]int{}
	for i, r := range packageTable(t) {
		order[r.path] = i
	}
	for _, p := range loadAll(t) {
		from := rel(p.PkgPath)
		if from == "" {
			continue
		}
		if layerOf(from) < 0 {
			t.Errorf("%s is in no layer", from)
		}
		for path := range p.Imports {
			if !strings.HasPrefix(path, module+"/") {
				continue
			}
			to := rel(path)
			switch {
			case layerOf(to) < layerOf(from):
			case top(to) == top(from) && order[to] < order[from]:
			default:
				t.Errorf("%s must not import %s", from, to)
			}
		}
	}
}

func TestHeavyModulesHaveOneHome(t *testing.T) {
	for _, p := range loadAll(t) {
		for path := range p.Imports {
			best := ""
			for mod := range homes {
				if strings.HasPrefix(path, mod) && len(mod) > len(best) {
					best = mod
				}
			}
			if best != "" && !slices.Contains(homes[best], rel(p.PkgPath)) {
				t.Errorf("%s imports %s; its home is %v", rel(p.PkgPath), path, homes[best])
			}
		}
	}
}

func TestPurePackagesAreDeterministic(t *testing.T) {
	for _, p := range loadAll(t) {
		path := rel(p.PkgPath)
		if !isPure(path) {
			continue
		}
		for imp := range p.Imports {
			if slices.Contains(impureImports, imp) {
				t.Errorf("%s imports %s", path, imp)
			}
		}
		floats := path == "internal/fx" || path == "internal/table"
		for _, f := range p.Syntax {
			ast.Inspect(f, func(n ast.Node) bool {
				if what := impurity(p, n, floats); what != "" {
					t.Errorf("%s: %s", p.Fset.Position(n.Pos()), what)
				}
				return true
			})
		}
	}
}

func impurity(p *packages.Package, n ast.Node, floats bool) string {
	switch n := n.(type) {
	case *ast.GoStmt:
		return "go statement in a pure package"
	case *ast.SelectStmt, *ast.ChanType:
		return "channel in a pure package"
	case *ast.RangeStmt:
		if typ := p.TypesInfo.TypeOf(n.X); typ != nil {
			if _, ok := typ.Underlying().(*types.Map); ok {
				return "range over a map in a pure package"
			}
		}
	case ast.Expr:
		if !floats && isFloat(p.TypesInfo.TypeOf(n)) {
			return "float outside internal/fx and internal/table"
		}
	}
	return ""
}

func isFloat(t types.Type) bool {
	if t == nil {
		return false
	}
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&(types.IsFloat|types.IsComplex) != 0
}

// TestNoBareFloatMultiplyAdd finds x*y+z on floats without a conversion around
// the product: a compiler may fuse it on some machines (FX-02).
func TestNoBareFloatMultiplyAdd(t *testing.T) {
	for _, p := range loadAll(t) {
		for _, f := range p.Syntax {
			ast.Inspect(f, func(n ast.Node) bool {
				if fusable(p.TypesInfo, n) {
					t.Errorf("%s: bare float multiply-add; write float64(x*y) + z", p.Fset.Position(n.Pos()))
				}
				return true
			})
		}
	}
}

func fusable(info *types.Info, n ast.Node) bool {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		return (n.Op == token.ADD || n.Op == token.SUB) && (bareProduct(info, n.X) || bareProduct(info, n.Y))
	case *ast.AssignStmt:
		return (n.Tok == token.ADD_ASSIGN || n.Tok == token.SUB_ASSIGN) && bareProduct(info, n.Rhs[0])
	}
	return false
}

func bareProduct(info *types.Info, e ast.Expr) bool {
	b, ok := ast.Unparen(e).(*ast.BinaryExpr)
	if !ok || b.Op != token.MUL {
		return false
	}
	tv := info.Types[b]
	return tv.Value == nil && tv.Type != nil && isFloat(tv.Type)
}

// TestTheRulesCanFail feeds the finders code that breaks them.
func TestTheRulesCanFail(t *testing.T) {
	cfg := &packages.Config{Mode: packages.LoadSyntax, Overlay: map[string][]byte{}}
	dir, err := packages.Load(&packages.Config{Mode: packages.NeedFiles}, "./internal/enc")
	if err != nil || len(dir) != 1 || len(dir[0].GoFiles) == 0 {
		t.Fatal(err)
	}
	file := dir[0].GoFiles[0]
	cfg.Overlay[file] = []byte("package enc\nfunc bad(x, y, z float64, m map[int]int) float64 {\n go func() {}()\n for range m {}\n z += x*y\n _ = 1.5\n return x*y + z }\n")
	pkgs, err := packages.Load(cfg, "file="+file)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	fused := 0
	for _, f := range pkgs[0].Syntax {
		ast.Inspect(f, func(n ast.Node) bool {
			if s := impurity(pkgs[0], n, false); s != "" {
				found = append(found, s)
			}
			if fusable(pkgs[0].TypesInfo, n) {
				fused++
			}
			return true
		})
	}
	if fused != 2 || len(found) < 4 {
		t.Errorf("fused %d, found %s", fused, strconv.Quote(strings.Join(found, "; ")))
	}
}
