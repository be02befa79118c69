// SPDX-License-Identifier: Apache-2.0

package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/openledger/openledger/gpu/format"
	"pgregory.net/rapid"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the golden file")

func rawSource(name string, d DType, shape []uint64, data []byte) Source {
	return Source{name, d, shape, func(w io.Writer) error { _, err := w.Write(data); return err }}
}

func le[T any](x ...T) []byte {
	b, err := binary.Append(nil, binary.LittleEndian, x)
	if err != nil {
		panic(err)
	}
	return b
}

// golden holds one tensor of each type, with every kind of float there is.
func golden(t *testing.T) []byte {
	t.Helper()
	halves := make([]uint16, 1<<16)
	for i := range halves {
		halves[i] = uint16(i)
	}
	inf := float32(math.Inf(1))
	tensors := []Source{
		rawSource("every half", F16, []uint64{256, 256}, le(halves...)),
		rawSource("every bfloat", BF16, []uint64{256, 256}, le(halves...)),
		Float32s("floats", []uint64{2, 4}, []float32{0, float32(math.Copysign(0, -1)), 1, -1.5, inf, -inf, math.Float32frombits(1), math.Float32frombits(0xffc12345)}),
		rawSource("bytes", U8, []uint64{3}, []byte{0, 127, 255}),
		rawSource("codes", I8, []uint64{1, 3}, []byte{0x81, 0, 127}),
		rawSource("ints", I32, []uint64{2}, le[int32](math.MinInt32, 7)),
		rawSource("longs", I64, []uint64{2}, le[int64](math.MinInt64, 7)),
		rawSource("one number", I64, []uint64{}, le[int64](-1)),
		rawSource("nothing", F32, []uint64{0, 5}, nil),
		rawSource("a \"quoted\" \\ naïve 名", U8, []uint64{1}, []byte{9}),
	}
	var b bytes.Buffer
	if err := Write(&b, Meta{Program: "test/1", Root: [32]byte{1, 2, 3}}, tensors); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestTNS02TheGoldenFileIsCurrent(t *testing.T) {
	path := filepath.Join("testdata", "golden.safetensors")
	now := golden(t)
	if *rewrite {
		if err := os.WriteFile(path, now, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	old, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(old, now) {
		t.Fatalf("the golden file differs from what is written today: %v", err)
	}
	if n := binary.LittleEndian.Uint64(now); n%8 != 0 || now[8] != '{' {
		t.Errorf("header of %d bytes", n)
	}
}

// pythonSays runs the independent reader over files.
func pythonSays(t *testing.T, paths ...string) []map[string]json.RawMessage {
	t.Helper()
	out, err := exec.Command("python3", append([]string{filepath.Join("testdata", "st.py")}, paths...)...).Output()
	if err != nil {
		t.Fatalf("python3 testdata/st.py: %v", err)
	}
	var all []map[string]json.RawMessage
	for line := range strings.Lines(string(out)) {
		var one map[string]json.RawMessage
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	if len(all) != len(paths) {
		t.Fatalf("%d answers about %d files", len(all), len(paths))
	}
	return all
}

// values reads a tensor as st.py prints it.
func values(t *testing.T, f *File, x Tensor) []int64 {
	t.Helper()
	out := make([]int64, x.Count())
	if x.DType.IsFloat() {
		data := make([]float32, x.Count())
		if err := f.Floats(x, 0, data); err != nil {
			t.Fatal(err)
		}
		for i, v := range data {
			out[i] = int64(math.Float32bits(v))
		}
		return out
	}
	b := make([]byte, x.Bytes())
	if err := f.Raw(x, 0, b); err != nil {
		t.Fatal(err)
	}
	for i := range out {
		switch x.DType {
		case U8:
			out[i] = int64(b[i])
		case I8:
			out[i] = int64(int8(b[i]))
		case I32:
			out[i] = int64(int32(binary.LittleEndian.Uint32(b[4*i:])))
		case I64:
			out[i] = int64(binary.LittleEndian.Uint64(b[8*i:]))
		}
	}
	return out
}

func TestTNS02PythonReadsTheSameNumbers(t *testing.T) {
	path := filepath.Join("testdata", "golden.safetensors")
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	said := pythonSays(t, path)[0]
	var tensors map[string]struct {
		DType  string
		Shape  []uint64
		Values []int64
	}
	var meta map[string]string
	if err := errors.Join(json.Unmarshal(said["tensors"], &tensors), json.Unmarshal(said["meta"], &meta)); err != nil {
		t.Fatalf("%v: %s", err, said["refused"])
	}
	if !reflect.DeepEqual(meta, f.Meta) || meta["format"] != "pt" || meta["program"] != "test/1" || !strings.HasPrefix(meta["root"], "0102030000") {
		t.Errorf("metadata %v, in Python %v", f.Meta, meta)
	}
	if len(tensors) != len(f.Tensors) || len(tensors) != 10 {
		t.Errorf("%d tensors, in Python %d", len(f.Tensors), len(tensors))
	}
	for _, x := range f.Tensors {
		p := tensors[x.Name]
		if p.DType != x.DType.String() || fmt.Sprint(p.Shape) != fmt.Sprint(x.Shape) {
			t.Errorf("%s is %s %d, in Python %s %d", x.Name, x.DType, x.Shape, p.DType, p.Shape)
		}
		got := values(t, f, x)
		for i := range got {
			if got[i] != p.Values[i] {
				t.Fatalf("%s[%d] is %x, in Python %x", x.Name, i, got[i], p.Values[i])
			}
		}
	}
}

// file builds the bytes of a file from a header and the length of its data.
func file(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

// badFiles maps what is wrong to a file and a word of the error.
var badFiles = map[string]struct {
	data []byte
	want string
}{
	"no bytes":                       {nil, "hold no header"},
	"seven bytes":                    {make([]byte, 7), "hold no header"},
	"an endless header":              {binary.LittleEndian.AppendUint64(nil, math.MaxUint64), "at most 104857600"},
	"a header longer than the file":  {append(binary.LittleEndian.AppendUint64(nil, 100), "{}"...), "copied whole"},
	"an empty header":                {file("", 0), "not one object"},
	"spaces before the header":       {file(" {}", 0), "not one object"},
	"a newline after the header":     {file("{}\n", 0), "not one object"},
	"two objects":                    {file("{}{}", 0), "follows the value"},
	"a list":                         {file("[]", 0), "not one object"},
	"half an object":                 {file(`{"a":{"dtype":"F32"}`, 0), "not"},
	"a name twice":                   {file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 2), "twice"},
	"a name twice by an escape":      {file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\u0061":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 2), "twice"},
	"a field twice":                  {file(`{"a":{"dtype":"U8","shape":[1],"shape":[1],"data_offsets":[0,1]}}`, 1), "twice"},
	"metadata twice":                 {file(`{"__metadata__":{},"__metadata__":{}}`, 0), "twice"},
	"metadata of numbers":            {file(`{"__metadata__":{"a":1}}`, 0), "text"},
	"metadata null":                  {file(`{"__metadata__":{"a":null}}`, 0), "text"},
	"half a surrogate":               {file(`{"\ud800":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1), "surrogate"},
	"not UTF-8":                      {file("{\"\xff\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1), "UTF-8"},
	"a control character":            {file("{\"a\\u0000\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1), "control"},
	"an empty name":                  {file(`{"":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1), "name"},
	"a long name":                    {file(`{"`+strings.Repeat("n", 513)+`":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1), "name"},
	"an unknown type":                {file(`{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}`, 8), "F64"},
	"a type in small letters":        {file(`{"a":{"dtype":"u8","shape":[1],"data_offsets":[0,1]}}`, 1), "u8"},
	"an unknown field":               {file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":1}}`, 1), "no such field"},
	"no shape":                       {file(`{"a":{"dtype":"U8","data_offsets":[0,1]}}`, 1), "wants dtype"},
	"a tensor that is a number":      {file(`{"a":1}`, 0), "object"},
	"a negative size":                {file(`{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}`, 1), "integer"},
	"a size with a point":            {file(`{"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}`, 1), "integer"},
	"a size with an exponent":        {file(`{"a":{"dtype":"U8","shape":[1e0],"data_offsets":[0,1]}}`, 1), "integer"},
	"a size with a leading zero":     {file(`{"a":{"dtype":"U8","shape":[01],"data_offsets":[0,1]}}`, 1), "leading"},
	"a size that is true":            {file(`{"a":{"dtype":"U8","shape":[true],"data_offsets":[0,1]}}`, 1), "integer"},
	"a huge shape":                   {file(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}`, 4), "too many"},
	"a shape that wraps to its size": {file(`{"a":{"dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4]}}`, 4), ""},
	"nine dimensions":                {file(`{"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}}`, 1), "more than 8"},
	"three offsets":                  {file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,1]}}`, 1), "more than 2"},
	"one offset":                     {file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}}`, 1), "two offsets"},
	"offsets backwards":              {file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}`, 1), "offsets"},
	"a size that does not fit":       {file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 4), "offsets"},
	"a hole in front":                {file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 2), "belong to none"},
	"a hole between":                 {file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}`, 3), "belong to none"},
	"an overlap":                     {file(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, 3), "overlap"},
	"the same bytes twice":           {file(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, 2), "overlap"},
	"bytes behind":                   {file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 2), "follow the last"},
	"bytes and no tensor":            {file(`{}`, 1), "follow the last"},
	"a truncated tensor":             {file(`{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}`, 3), "copied whole"},
	"NaN":                            {file(`{"a":{"dtype":"U8","shape":[NaN],"data_offsets":[0,1]}}`, 1), "value"},
	"a comma too many":               {file(`{"a":{"dtype":"U8","shape":[1,],"data_offsets":[0,1]}}`, 1), "value"},
	"a deep nest":                    {file(`{"a":`+strings.Repeat("[", 1000)+strings.Repeat("]", 1000)+"}", 0), "deeper"},
}

func TestTNS02BadFilesAreRefusedHereAndInPython(t *testing.T) {
	dir := t.TempDir()
	var names, paths []string
	for name, c := range badFiles {
		_, err := New("file", bytes.NewReader(c.data), int64(len(c.data)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
		if err != nil && !errors.Is(err, format.ErrFormat) && !errors.Is(err, format.ErrUnsupported) {
			t.Errorf("%s: %v has no class", name, err)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		names, paths = append(names, name), append(paths, path)
	}
	for i, said := range pythonSays(t, paths...) {
		// Python's own limits differ: it nests deeper.
		if said["refused"] == nil {
			t.Errorf("%s: Python accepts it: %s", names[i], said)
		}
	}
}

// TestTNS02EveryTruncationIsRefused cuts the golden file at every byte of its
// header and at places of its data.
func TestTNS02EveryTruncationIsRefused(t *testing.T) {
	b := golden(t)
	head := int(8 + binary.LittleEndian.Uint64(b))
	for n := 0; n < len(b); n++ {
		if n > head && n < len(b)-64 {
			n += 997
		}
		if _, err := New("cut", bytes.NewReader(b[:n]), int64(n)); !errors.Is(err, format.ErrFormat) {
			t.Fatalf("%d bytes of %d: %v", n, len(b), err)
		}
	}
}

func TestTNS02WhatIsWrittenIsRead(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z.0-9"\\é]{1,12}`), 0, 8, rapid.ID[string]).Draw(r, "names")
		want := map[string][]byte{}
		var list []Source
		for _, n := range names {
			d := DType(rapid.IntRange(int(F32), int(I64)).Draw(r, "dtype"))
			shape := rapid.SliceOfN(rapid.Uint64Range(0, 4), 0, 4).Draw(r, "shape")
			size, _ := sizeOf(d, shape)
			data := rapid.SliceOfN(rapid.Byte(), int(size), int(size)).Draw(r, "data")
			want[n] = append([]byte(fmt.Sprint(d, shape)), data...)
			list = append(list, rawSource(n, d, shape, data))
		}
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			r.Fatal(err)
		}
		if err := SaveFolder(dir, Meta{Program: "p"}, list, rapid.Uint64Range(0, 500).Draw(r, "shard")); err != nil {
			r.Fatal(err)
		}
		f, err := OpenFolder(dir)
		if err != nil {
			r.Fatal(err)
		}
		defer f.Close()
		if len(f.Tensors) != len(want) {
			r.Fatalf("%d tensors, want %d", len(f.Tensors), len(want))
		}
		for n, data := range want {
			x, ok := f.Lookup(n)
			if !ok {
				r.Fatalf("%q is lost", n)
			}
			var b bytes.Buffer
			if err := Copy(f, x, "").Write(&b); err != nil {
				r.Fatal(err)
			}
			if got := append([]byte(fmt.Sprint(x.DType, x.Shape)), b.Bytes()...); !bytes.Equal(got, data) {
				r.Fatalf("%q is %q, want %q", n, got, data)
			}
		}
	})
}

func TestTNS02LargeTensorsAreReadInPieces(t *testing.T) {
	const n = 100_003
	data := make([]float32, n)
	for i := range data {
		data[i] = float32(i)
	}
	var b bytes.Buffer
	if err := Write(&b, Meta{}, []Source{Float32s("x", []uint64{n}, data), Float32s("a", []uint64{3}, data[:3])}); err != nil {
		t.Fatal(err)
	}
	f, err := New("x", bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	x, _ := f.Lookup("x")
	got := make([]float32, n-7)
	if err := f.Floats(x, 5, got[:n-7]); err != nil {
		t.Fatal(err)
	}
	for i, v := range got {
		if v != float32(i+5) {
			t.Fatalf("element %d is %v", i+5, v)
		}
	}
	if _, ok := f.Lookup("y"); ok {
		t.Error("found a tensor that is not there")
	}
}

func TestTNS02SourcesThatCannotBeWritten(t *testing.T) {
	for name, list := range map[string][]Source{
		"a name twice":    {rawSource("a", U8, []uint64{0}, nil), rawSource("a", U8, []uint64{0}, nil)},
		"no name":         {rawSource("", U8, []uint64{0}, nil)},
		"the reserved":    {rawSource("__metadata__", U8, []uint64{0}, nil)},
		"no type":         {rawSource("a", 0, []uint64{0}, nil)},
		"an unknown type": {rawSource("a", 9, []uint64{0}, nil)},
		"a huge shape":    {rawSource("a", U8, []uint64{1 << 40, 1 << 40}, nil)},
		"too few bytes":   {rawSource("a", U8, []uint64{2}, []byte{1})},
		"too many bytes":  {rawSource("a", U8, []uint64{2}, []byte{1, 2, 3})},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "x.safetensors")
		if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Save(path, Meta{}, list); !errors.Is(err, ErrSource) {
			t.Errorf("%s: %v", name, err)
		}
		left, err := os.ReadDir(dir)
		if b, err2 := os.ReadFile(path); err != nil || err2 != nil || string(b) != "old" || len(left) != 1 {
			t.Errorf("%s: the old file is %q, %d files are left: %v", name, b, len(left), err)
		}
	}
}

func TestTNS02FoldersThatAreRefused(t *testing.T) {
	one := func(name string) []byte {
		var b bytes.Buffer
		if err := Write(&b, Meta{}, []Source{rawSource(name, U8, []uint64{1}, []byte{1})}); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	for name, c := range map[string]struct {
		index string
		want  string
	}{
		"a path upwards":                    {`{"weight_map":{"a":"../a.safetensors"}}`, "not the name"},
		"an absolute path":                  {`{"weight_map":{"a":"/etc/a.safetensors"}}`, "not the name"},
		"a pickle":                          {`{"weight_map":{"a":"a.bin"}}`, "not the name"},
		"no map":                            {`{"metadata":{}}`, "no tensor"},
		"an empty map":                      {`{"weight_map":{}}`, "no tensor"},
		"an unknown field":                  {`{"weight_map":{"a":"a.safetensors"},"x":1}`, "no such field"},
		"a tensor twice":                    {`{"weight_map":{"a":"a.safetensors","a":"b.safetensors"}}`, "twice"},
		"a tensor that is in no file":       {`{"weight_map":{"a":"a.safetensors","c":"a.safetensors"}}`, "hold 1"},
		"a tensor that stands elsewhere":    {`{"weight_map":{"a":"a.safetensors","b":"a.safetensors","c":"b.safetensors"}}`, "stands in"},
		"a tensor that the index omits":     {`{"weight_map":{"a":"b.safetensors"}}`, "stands in"},
		"a file that is not there":          {`{"weight_map":{"a":"z.safetensors"}}`, "z.safetensors"},
		"a folder in place of a file":       {`{"weight_map":{"a":"d.safetensors"}}`, "not a regular file"},
		"a shard that is no safetensors":    {`{"weight_map":{"a":"bad.safetensors"}}`, "bad.safetensors"},
		"an index that is not JSON":         {`{"weight_map"`, "index"},
		"one tensor of the map is a number": {`{"weight_map":{"a":1}}`, "text"},
	} {
		dir := t.TempDir()
		for file, b := range map[string][]byte{"a.safetensors": one("a"), "b.safetensors": one("b"), "bad.safetensors": []byte("??"), IndexName: []byte(c.index)} {
			if err := os.WriteFile(filepath.Join(dir, file), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Mkdir(filepath.Join(dir, "d.safetensors"), 0o700); err != nil {
			t.Fatal(err)
		}
		if f, err := OpenFolder(dir); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v, want an error with %q", name, f, err, c.want)
		}
		if err := SaveFolder(dir, Meta{}, nil, 1); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: a model is written over it: %v", name, err)
		}
	}
	if _, err := OpenFolder(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty folder: %v", err)
	}
}

func TestTNS01RootNamesEveryTensor(t *testing.T) {
	root := func(list ...Source) [32]byte {
		var b bytes.Buffer
		if err := Write(&b, Meta{}, list); err != nil {
			t.Fatal(err)
		}
		f, err := New("x", bytes.NewReader(b.Bytes()), int64(b.Len()))
		if err != nil {
			t.Fatal(err)
		}
		r, err := f.Root()
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	a, b := rawSource("a", U8, []uint64{2, 1}, []byte{1, 2}), rawSource("b", I8, []uint64{2}, []byte{1, 2})
	seen := map[[32]byte]string{}
	for name, r := range map[string][32]byte{
		"a": root(a), "b": root(b), "both": root(a, b), "bytes": root(rawSource("a", U8, []uint64{2, 1}, []byte{1, 3})),
		"type": root(rawSource("a", I8, []uint64{2, 1}, []byte{1, 2})), "shape": root(rawSource("a", U8, []uint64{1, 2}, []byte{1, 2})),
	} {
		if other := seen[r]; other != "" {
			t.Errorf("%s and %s have one root", name, other)
		}
		seen[r] = name
	}
	if root(a, b) != root(b, a) {
		t.Error("the order of writing changes the root")
	}
}

func FuzzNew(f *testing.F) {
	for _, c := range badFiles {
		f.Add(c.data)
	}
	f.Add(file(`{"b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}  `, 2))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := New("fuzz", bytes.NewReader(b), int64(len(b)))
		if err != nil {
			if !errors.Is(err, format.ErrFormat) && !errors.Is(err, format.ErrUnsupported) {
				t.Fatalf("%v has no class", err)
			}
			return
		}
		var total uint64
		var list []Source
		for _, x2 := range x.Tensors {
			total += x2.Bytes()
			list = append(list, Copy(x, x2, x2.Name))
		}
		if head := binary.LittleEndian.Uint64(b); total+8+head != uint64(len(b)) {
			t.Fatalf("%d bytes of tensors behind a header of %d in a file of %d", total, head, len(b))
		}
		var out bytes.Buffer
		if err := Write(&out, Meta{}, list); err != nil {
			t.Fatal(err)
		}
		y, err := New("again", bytes.NewReader(out.Bytes()), int64(out.Len()))
		if err != nil || len(y.Tensors) != len(x.Tensors) {
			t.Fatal(err)
		}
		r1, err1 := x.Root()
		r2, err2 := y.Root()
		if r1 != r2 || err1 != nil || err2 != nil {
			t.Fatalf("%x after writing is %x: %v, %v", r1, r2, err1, err2)
		}
	})
}
