package sql

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestLiteralsAreHidden(t *testing.T) {
	for text, want := range map[string]string{
		"SELECT * FROM users WHERE id = 42 AND name = 'O''Brien'":    "SELECT * FROM users WHERE id = ? AND name = ?",
		"select 1.5e-3, .5, 0xff, 1_000 , -7":                        "select ?, ?, ?, ? , -?",
		`SELECT E'it\'s secret', U&'\0041', B'01', n'x', x'ff'`:      "SELECT ?, ?, ?, ?, ?",
		"SELECT $$secret 'x'$$, $tag$ se$$cret $tag$, $1, $12":       "SELECT ?, ?, $1, $12",
		`SELECT "a ""b""", t1.c2 FROM "T 1"`:                         `SELECT "a ""b""", t1.c2 FROM "T 1"`,
		"SELECT 1 -- secret\n + 2":                                   "SELECT ? + ?",
		"SELECT /* secret /* nested */ still */ a":                   "SELECT a",
		"SELECT a\n\t FROM   b":                                      "SELECT a FROM b",
		"SELECT a FROM b WHERE c IN (1, 2, -3,'x') AND d IN ($1,$2)": "SELECT a FROM b WHERE c IN (?) AND d IN ($1,$2)",
		"SELECT x'":           "SELECT ?",
		"SELECT 'cut off":     "SELECT ?",
		"SELECT $tag$cut off": "SELECT ?",
		"SELECT $ta":          "SELECT ?",
		"SELECT a /* cut off": "SELECT a",
		"INSERT INTO t VALUES (1, 'a'), (2, 'b')": "INSERT INTO t VALUES (?, ?), (?, ?)",
		"SELECT a::text, b->>'key', c[1]":         "SELECT a::text, b->>?, c[?]",
		"":                                        "",
		"SELECT '\xff\xfe', \xff":                 "SELECT ?, \uFFFD",
	} {
		assert.Equal(t, want, scan(text, PostgreSQL).text(), text)
	}
}

func TestLiteralsAreHiddenInMySQL(t *testing.T) {
	for text, want := range map[string]string{
		`SELECT * FROM users WHERE a = "it's \" secret" AND b = 'x\'y'`: "SELECT * FROM users WHERE a = ? AND b = ?",
		"SELECT `a ``b` FROM `T 1` # secret\n WHERE c = ?":              "SELECT `a ``b` FROM `T 1` WHERE c = ?",
		"SELECT 1--2 -- secret":                                         "SELECT ?--?",
		"SELECT /* a /* b */ c /*! secret */":                           "SELECT c",
		"SELECT _utf8'x', n'y\\'z', 0xff, @a := 5, $1":                  "SELECT _utf8?, ?, ?, @a := ?, $1",
		"SELECT a FROM b WHERE c IN (?, ?)":                             "SELECT a FROM b WHERE c IN (?, ?)",
	} {
		assert.Equal(t, want, scan(text, MySQL).text(), text)
	}
}

func TestSummariesOfMySQL(t *testing.T) {
	for text, want := range map[string]string{
		"SELECT * FROM `shop`.`orders` o":                               "SELECT `shop`.`orders`",
		"INSERT IGNORE INTO t VALUES (1) ON DUPLICATE KEY UPDATE a = 2": "INSERT t",
		"REPLACE INTO t VALUES (1)":                                     "REPLACE t",
		"UPDATE LOW_PRIORITY t SET a = replace(a, 'x', 'y')":            "UPDATE t",
		"DELETE FROM t LIMIT 1":                                         "DELETE t",
		"SHOW TABLES":                                                   "SHOW",
		"SET NAMES utf8mb4":                                             "SET",
	} {
		assert.Equal(t, want, scan(text, MySQL).summary.String(), text)
	}
}

func TestSummaries(t *testing.T) {
	for text, want := range map[string]string{
		"SELECT * FROM users WHERE id = 1":                               "SELECT users",
		"select a from shop.orders o join lines using (id)":              "select shop.orders lines",
		`SELECT * FROM "Order Items"`:                                    `SELECT "Order Items"`,
		"INSERT INTO archive SELECT * FROM orders":                       "INSERT archive SELECT orders",
		"INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET a=2": "INSERT t",
		"UPDATE t SET a = (SELECT max(b) FROM u) WHERE c = 'secret'":     "UPDATE t SELECT u",
		"UPDATE ONLY t SET a = 1":                                        "UPDATE t",
		"DELETE FROM t USING u WHERE t.a = u.a":                          "DELETE t",
		"SELECT extract(epoch FROM created), trim(both FROM x) FROM t":   "SELECT t",
		"SELECT * FROM t WHERE a IS DISTINCT FROM b":                     "SELECT t",
		"SELECT * FROM t FOR UPDATE":                                     "SELECT t",
		"WITH recent AS (SELECT * FROM orders) SELECT * FROM recent":     "SELECT orders SELECT recent",
		"CREATE TABLE IF NOT EXISTS t (a int)":                           "CREATE TABLE t",
		"CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)":                    "CREATE INDEX i",
		"DROP TABLE t":                      "DROP TABLE t",
		"BEGIN":                             "BEGIN",
		"BEGIN; UPDATE a SET b = 1; COMMIT": "BEGIN UPDATE a COMMIT",
		"COPY t FROM STDIN":                 "COPY t",
		"CALL proc(1)":                      "CALL proc",
		"SELECT 1":                          "SELECT",
		"":                                  "",
		"SET search_path = x":               "SET",
	} {
		s := scan(text, PostgreSQL)
		assert.Equal(t, want, s.summary.String(), text)
	}
}

func TestSummariesAreBounded(t *testing.T) {
	s := scan("SELECT * FROM "+strings.Repeat("a, b JOIN table_with_a_long_name JOIN ", 100), PostgreSQL)
	assert.LessOrEqual(t, len(s.summary.String()), maxSummary)
}

func TestPasswordsAreNeverKept(t *testing.T) {
	for text, want := range map[string]string{
		"SELECT 'a' FROM t /* c */":                    "SELECT 'a' FROM t /* c */",
		"ALTER USER me WITH ENCRYPTED PASSWORD 'hush'": "ALTER USER me WITH ENCRYPTED PASSWORD ?",
		"CREATE USER me IDENTIFIED BY 'hush'":          "CREATE USER me IDENTIFIED BY ?",
	} {
		assert.Equal(t, want, scan(text, PostgreSQL).kept(text))
	}
}

func FuzzSQL(f *testing.F) {
	f.Add("SELECT E'\\'' || $1, $$a$$ FROM \"t\" WHERE a IN (1,2) /* x */ -- y")
	f.Fuzz(func(t *testing.T, text string) {
		s := scan(text, PostgreSQL)
		assert.LessOrEqual(t, len(s.summary.String()), maxSummary)
		if !strings.Contains(text, `"`) { // in which there may be quotes
			assert.NotContains(t, s.text(), "'")
		}
	})
}
