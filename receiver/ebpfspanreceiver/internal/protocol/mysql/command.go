package mysql

// The first byte of a command: include/my_command.h, and COM_STMT_BULK_EXECUTE of MariaDB.
const (
	comQuit            = 0x01
	comInitDB          = 0x02
	comQuery           = 0x03
	comFieldList       = 0x04
	comCreateDB        = 0x05
	comDropDB          = 0x06
	comRefresh         = 0x07
	comShutdown        = 0x08
	comStatistics      = 0x09
	comProcessInfo     = 0x0a
	comProcessKill     = 0x0c
	comDebug           = 0x0d
	comPing            = 0x0e
	comChangeUser      = 0x11
	comBinlogDump      = 0x12
	comPrepare         = 0x16
	comExecute         = 0x17
	comSendLongData    = 0x18
	comCloseStatement  = 0x19
	comResetStatement  = 0x1a
	comSetOption       = 0x1b
	comFetch           = 0x1c
	comBinlogDumpGTID  = 0x1e
	comResetConnection = 0x1f
	comSubscribe       = 0x21 // to a group's replication, the last one of MySQL's
	comBulkExecute     = 0xfa
)

// commandNames are the operations of commands that have no statement.
var commandNames = map[byte]string{
	comInitDB:          "USE",
	comFieldList:       "FIELD LIST",
	comCreateDB:        "CREATE DATABASE",
	comDropDB:          "DROP DATABASE",
	comRefresh:         "REFRESH",
	comShutdown:        "SHUTDOWN",
	comStatistics:      "STATISTICS",
	comProcessInfo:     "PROCESS INFO",
	comProcessKill:     "PROCESS KILL",
	comDebug:           "DEBUG",
	comPing:            "PING",
	comChangeUser:      "CHANGE USER",
	comExecute:         "EXECUTE",
	comBulkExecute:     "EXECUTE",
	comResetStatement:  "RESET STATEMENT",
	comSetOption:       "SET OPTION",
	comFetch:           "FETCH",
	comResetConnection: "RESET CONNECTION",
}

// isCommand reports whether there is a command that begins with c.
func isCommand(c byte) bool { return c <= comSubscribe || c == comBulkExecute }

// isUnanswered reports whether a command has no answer.
func isUnanswered(c byte) bool {
	return c == comQuit || c == comSendLongData || c == comCloseStatement
}

// hasRows reports whether a command may be answered with rows.
func hasRows(c byte) bool {
	switch c {
	case comQuery, comExecute, comBulkExecute, comProcessInfo:
		return true
	}
	return false
}

// statementIn returns the statement's text in a command's body, nil where values are in front of it: with
// CLIENT_QUERY_ATTRIBUTES a query has the numbers of its attributes, 0, and of their sets, 1, there.
func statementIn(body []byte) []byte {
	switch {
	case body[0] != comQuery || len(body) < 3 || body[2] != 1:
		return body[1:]
	case body[1] == 0:
		return body[3:]
	}
	return nil
}
