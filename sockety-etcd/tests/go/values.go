// Writes the values that etcd's package `client/v3/naming/endpoints` puts for three endpoints: it passes
// a struct of these fields to json.Marshal. `cd tests/go && go run values.go` rewrites the files here.
package main

import (
	"encoding/json"
	"os"
)

type update struct {
	Op       uint8
	Addr     string
	Metadata any
}

func main() {
	values := map[string]update{
		"plain.json": {Addr: "127.0.0.1:9001"},
		"text.json":  {Addr: "[::1]:9002", Metadata: "blue"},
		"weighted.json": {Addr: "10.0.0.7:9000", Metadata: map[string]any{
			"weight": 3, "zone": "b", "version": "1.2 <beta>", "shards": []int{1, 2},
		}},
	}
	for name, value := range values {
		bytes, err := json.Marshal(value)
		if err != nil {
			panic(err)
		}
		if err := os.WriteFile(name, bytes, 0o644); err != nil {
			panic(err)
		}
	}
}
