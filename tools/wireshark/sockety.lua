-- Wireshark's dissector of the Sockety protocol. sockety-codec/PROTOCOL.md has the rules, whose ids stand in brackets here.
--
-- The protocol has state: packets belong to the channel last switched to, and mean something only after the header of
-- their message. So each packet is analysed once, in the order of the bytes, and what was found is kept for whenever it
-- is shown. Written for Lua 5.2 to 5.4: no operators on bits.

local sockety = Proto("sockety", "Sockety")

local TYPES = {
    [0x0] = "Switch Channel", [0x1] = "Switch Channel", [0x2] = "Message", [0x3] = "Fast Reply", [0x4] = "Fast Reply",
    [0x5] = "Response", [0x6] = "Continue", [0x7] = "Stream", [0x8] = "Stream End", [0x9] = "Abort", [0xA] = "Heartbeat",
    [0xB] = "Go Away", [0xC] = "File", [0xD] = "File End", [0xE] = "Data", [0xF] = "Unassigned",
}

local SETTINGS = {
    "Message window", "Connection window", "Channels", "Bytes of metadata", "Bytes of a payload", "Files of a message",
    "Bytes of an action", "Bytes of a header", "Requests executed at a time", "Milliseconds until idle",
    "Milliseconds of its deadlines",
}

local REASONS = {
    [0] = "Shutdown", "Age", "Idle", "Protocol", "Limit", "Overloaded", "Unauthorized", "Internal", "Lame duck",
}

local CODES = {
    [0] = "Accept", [1] = "Reject", [2] = "Not Implemented", [3] = "Unauthorized", [4] = "Bad Request",
    [5] = "Internal Error", [3840] = "Overloaded", [3841] = "Going Away", [3842] = "Too Large", [3843] = "Deadline Exceeded",
    [3844] = "Cancelled", [3845] = "Slow Consumer", [3846] = "Bad Header", [3847] = "Not Begun",
}

local WIDTHS = {
    packet = { [0] = 1, 2, 3, 4 },
    index = { [0] = 0, 1, 2, 3 },
    payload = { [0] = 0, 1, 2, 6 },
    count = { [0] = 0, 1, 2, 3 },
    total = { [0] = 2, 3, 4, 6 },
    file = { [0] = 1, 2, 3, 6 },
}

-- A packet of more bytes than this is not put together.
local LARGEST = 64 * 1024 * 1024

local f = {
    channels = ProtoField.uint16("sockety.header.channels", "Channels received on"),
    offers = ProtoField.bool("sockety.header.offers_extension", "Extension offered"),
    type = ProtoField.string("sockety.type", "Packet"),
    size = ProtoField.uint32("sockety.size", "Size of the content"),
    channel = ProtoField.uint16("sockety.channel", "Channel"),
    has_stream = ProtoField.bool("sockety.has_stream", "Stream attached"),
    expects_reply = ProtoField.bool("sockety.expects_reply", "Reply expected"),
    id = ProtoField.guid("sockety.id", "Id"),
    parent = ProtoField.guid("sockety.parent", "Id of what is answered"),
    flags = ProtoField.uint8("sockety.flags", "Flags", base.HEX),
    action_length = ProtoField.uint16("sockety.action.length", "Length of the action"),
    action = ProtoField.string("sockety.action", "Action"),
    payload_size = ProtoField.uint64("sockety.payload.size", "Size of the payload"),
    files_count = ProtoField.uint32("sockety.files.count", "Number of files"),
    files_size = ProtoField.uint64("sockety.files.size", "Size of all files"),
    file = ProtoField.none("sockety.file", "File"),
    file_flags = ProtoField.uint8("sockety.file.flags", "Flags", base.HEX),
    file_index = ProtoField.uint32("sockety.file.index", "File index"),
    file_size = ProtoField.uint64("sockety.file.size", "Size of the file"),
    file_name_length = ProtoField.uint16("sockety.file.name.length", "Length of the name"),
    file_name = ProtoField.string("sockety.file.name", "Name of the file"),
    header_piece = ProtoField.bytes("sockety.header.piece", "Piece of a header"),
    code = ProtoField.uint16("sockety.code", "Code", base.DEC, CODES),
    payload = ProtoField.bytes("sockety.payload", "Payload"),
    stream = ProtoField.bytes("sockety.stream", "Stream"),
    content = ProtoField.bytes("sockety.file.content", "File content"),
    control = ProtoField.uint8("sockety.control", "Kind of Control"),
    setting = ProtoField.none("sockety.setting", "Setting"),
    setting_id = ProtoField.uint8("sockety.setting.id", "Id", base.DEC, SETTINGS),
    setting_value = ProtoField.uint64("sockety.setting.value", "Value"),
    cancel = ProtoField.uint32("sockety.cancel", "Cancelled message"),
    leave_taken = ProtoField.uint64("sockety.leave.taken", "Messages taken"),
    leave_reason = ProtoField.uint8("sockety.leave.reason", "Reason", base.DEC, REASONS),
    leave_grace = ProtoField.uint32("sockety.leave.grace", "Grace in ms"),
    leave_retry = ProtoField.uint32("sockety.leave.retry_after", "Connect again after ms"),
    leave_text = ProtoField.string("sockety.leave.text", "Details"),
    ping = ProtoField.bytes("sockety.ping", "Bytes of the ping"),
    status_error = ProtoField.bytes("sockety.status.error", "Error"),
    flow = ProtoField.none("sockety.flow", "Flow"),
    flow_flags = ProtoField.uint8("sockety.flow.flags", "Flags", base.HEX),
    flow_number = ProtoField.uint32("sockety.flow.message", "Number of the message"),
    flow_index = ProtoField.uint32("sockety.flow.index", "File index"),
    flow_limit = ProtoField.uint64("sockety.flow.limit", "Limit"),
    flow_entry = ProtoField.string("sockety.flow.entry", "Entry"),
    metadata_entry = ProtoField.none("sockety.metadata", "Metadata"),
    metadata_name = ProtoField.string("sockety.metadata.name", "Name"),
    metadata_value = ProtoField.string("sockety.metadata.value", "Value"),
    metadata_secret = ProtoField.uint16("sockety.metadata.secret", "Bytes of the secret value"),
    deadline = ProtoField.uint32("sockety.deadline", "Deadline in ms"),
    retry_after = ProtoField.uint32("sockety.retry_after", "Retry after ms"),
    attempt = ProtoField.uint8("sockety.attempt", "Attempt"),
    trace_id = ProtoField.bytes("sockety.trace.id", "Trace id"),
    trace_parent = ProtoField.bytes("sockety.trace.parent", "Parent id"),
    trace_flags = ProtoField.uint8("sockety.trace.flags", "Flags of the trace", base.HEX),
    undecodable = ProtoField.bytes("sockety.undecodable", "Bytes that cannot be decoded"),
    begun_in = ProtoField.framenum("sockety.begun_in", "Message begun in frame"),
    ends = ProtoField.bool("sockety.ends_message", "Ends the message"),
    request_in = ProtoField.framenum("sockety.request_in", "Answers the request in frame", base.NONE, frametype.REQUEST),
    response_in = ProtoField.framenum("sockety.response_in", "First answered in frame", base.NONE, frametype.RESPONSE),
    time = ProtoField.relative_time("sockety.time", "Time since the request"),
}

local e = {
    violation = ProtoExpert.new("sockety.expert.violation", "Against the protocol", expert.group.PROTOCOL, expert.severity.ERROR),
    refused = ProtoExpert.new("sockety.expert.refused", "Receivers refuse this message", expert.group.PROTOCOL, expert.severity.WARN),
    aborted = ProtoExpert.new("sockety.expert.aborted", "Message given up", expert.group.SEQUENCE, expert.severity.WARN),
    missing = ProtoExpert.new("sockety.expert.missing", "File ends short of its size", expert.group.SEQUENCE, expert.severity.WARN),
    code = ProtoExpert.new("sockety.expert.code", "Answered with a code other than 0", expert.group.RESPONSE_CODE, expert.severity.NOTE),
    odd = ProtoExpert.new("sockety.expert.odd", "Without effect, or bits without a meaning", expert.group.PROTOCOL, expert.severity.NOTE),
    middle = ProtoExpert.new("sockety.expert.middle", "The capture begins inside the connection", expert.group.SEQUENCE, expert.severity.NOTE),
}

sockety.fields = f
sockety.experts = e

sockety.prefs.ports = Pref.range("TCP ports", "", "Ports on which Sockety is spoken. Others are recognised by their first bytes, or chosen with Decode As.", 65535)
sockety.prefs.heuristic = Pref.bool("Recognise Sockety by its first bytes", true, "Looks at connections on all ports that no other dissector takes.")
sockety.prefs.msgpack = Pref.bool("Show payloads as MessagePack", true, "A payload that is in one packet is shown as the values in it.")

local tcp_stream = Field.new("tcp.stream")

-- Of the whole capture.
local directions, records, requests

function sockety.init()
    directions, records, requests = {}, {}, {}
end

-- Numbers -----------------------------------------------------------------------------------------------------------

-- Bits of a byte, the lowest being 0.
local function bits(byte, from, count)
    return math.floor(byte / 2 ^ from) % 2 ^ count
end

local function is_set(byte, bit)
    return bits(byte, bit, 1) == 1
end

-- [number.order]
local function little(bytes, position, width)
    local number = 0
    for index = width, 1, -1 do
        number = number * 256 + bytes:byte(position + index - 1)
    end
    return number
end

-- Packets -----------------------------------------------------------------------------------------------------------

-- Where the parts of a packet are; nil when its first bytes are not all there. Packets of the extension have none if it is
-- not active.
local function frame(bytes, is_extended)
    local first = bytes:byte(1)
    local kind = math.floor(first / 16)
    local packet = { first = first, kind = kind, index_width = 0, size_width = 0, size = 0, fixed = 1 }
    if kind == 0xF then
        packet.extension = bits(first, 0, 2)
    end
    local has_size = kind == 0xF and is_extended and packet.extension ~= 3
    if has_size or kind == 0x2 or kind == 0x5 or kind == 0x6 or kind == 0x7 or kind == 0xC or kind == 0xE then
        packet.size_width = WIDTHS.packet[bits(first, 2, 2)]
    end
    if kind == 0xC or kind == 0xD then
        packet.index_width = WIDTHS.index[bits(first, 0, 2)]
    end
    if kind == 0x1 then
        packet.fixed = 2
    elseif kind == 0x3 then
        packet.fixed = 17
    elseif kind == 0x4 then
        packet.fixed = 18
    else
        packet.fixed = 1 + packet.size_width + packet.index_width
    end
    if #bytes < packet.fixed then
        return nil
    end
    packet.size = little(bytes, 2, packet.size_width)
    packet.index = little(bytes, 2 + packet.size_width, packet.index_width)
    packet.length = packet.fixed + packet.size
    return packet
end

-- The header that offers the extension. [ext.offer]
local OFFER = "\xE2\xEE\x00"

-- Length of a connection header; nil when this is none. [header.form]
local function connection_header(bytes)
    local first = bytes:byte(1)
    if math.floor(first / 16) ~= 0xE then
        return nil
    end
    return 1 + ({ [0] = 0, 1, 2, 0 })[bits(first, 0, 2)]
end

local function channels_of(bytes)
    local form = bits(bytes:byte(1), 0, 2)
    if form == 0 then
        return 1
    elseif form == 3 then
        return 4096
    end
    local count = little(bytes, 2, form)
    -- [header.count.wrapped]
    if form == 1 and count == 0 then
        return 256
    end
    return count
end

-- Headers of messages -----------------------------------------------------------------------------------------------

-- Reads the header of a message or a response as far as it is there. The positions of its fields begin with 0.
local function parse_head(bytes, is_response)
    local head = { files = {}, fields = {}, is_announced = false, is_whole = false }
    local position = 1
    local function take(name, width)
        if #bytes < position + width - 1 then
            return nil
        end
        head.fields[name] = { position - 1, width }
        position = position + width
        return position - width
    end
    local at = take("flags", 1)
    if not at then
        return head
    end
    local flags = bytes:byte(at)
    if is_response then
        at = take("parent", 16)
        if not at then
            return head
        end
        head.parent = bytes:sub(at, at + 15)
    end
    at = take("id", 16)
    if not at then
        return head
    end
    head.id = bytes:sub(at, at + 15)
    if not is_response then
        local width = 1 + bits(flags, 1, 1)
        at = take("action_length", width)
        if not at then
            return head
        end
        local length = little(bytes, at, width)
        at = take("action", length)
        if not at then
            return head
        end
        head.action = bytes:sub(at, at + length - 1)
    end
    local function number(name, width)
        local place = take(name, width)
        return place and little(bytes, place, width)
    end
    head.payload = number("payload_size", WIDTHS.payload[bits(flags, 6, 2)])
    local count_form = bits(flags, 4, 2)
    head.count = head.payload and number("files_count", WIDTHS.count[count_form])
    head.total = 0
    if head.count and count_form ~= 0 then
        head.total = number("files_size", WIDTHS.total[bits(flags, 2, 2)])
    end
    if not head.count or not head.total then
        return head
    end
    head.is_announced = true
    head.has_odd_bits = is_set(flags, 0) or (is_response and is_set(flags, 1))
    while #head.files < head.count do
        local start = position
        local file = {}
        local mark = number("file_flags", 1)
        if not mark then
            return head
        end
        local size_width, name_width = WIDTHS.file[bits(mark, 2, 2)], 1 + bits(mark, 1, 1)
        file.size = number("file_size", size_width)
        local length = file.size and number("file_name_length", name_width)
        local place = length and take("file_name", length)
        if not place then
            return head
        end
        file.name = bytes:sub(place, place + length - 1)
        file.at, file.size_width, file.name_width = start - 1, size_width, name_width
        file.length = position - start
        head.files[#head.files + 1] = file
    end
    head.is_whole = true
    head.length = position - 1
    return head
end

-- Analysis: once for each packet, in order --------------------------------------------------------------------------

local function direction_of(pinfo)
    local stream = tostring(tcp_stream())
    local key = stream .. " " .. tostring(pinfo.src) .. " " .. pinfo.src_port
    local direction = directions[key]
    if not direction then
        direction = {
            channel = 0,
            messages = {},
            -- Messages by their numbers, of which so many have begun; names that metadata may refer to. [ext.number]
            begun = 0,
            numbers = {},
            names = {},
            settings = {},
            peer = stream .. " " .. tostring(pinfo.dst) .. " " .. pinfo.dst_port,
        }
        directions[key] = direction
    end
    return direction
end

local function hex(bytes)
    return (bytes:gsub(".", function(byte)
        return ("%02x"):format(byte:byte())
    end))
end

-- What a packet says is wrong about it.
local function problem(record, kind, text)
    record.problems[#record.problems + 1] = { kind, text }
end

local function violation(direction, record, text)
    problem(record, "violation", text)
    direction.is_lost = true
end

-- Whether a message has all that it announced. [content.end]
local function is_complete(message)
    local head = message.head
    if not head.is_whole or message.payload_left > 0 or message.stream == "open" then
        return false
    end
    return message.files_open == 0
end

local function settle(direction, record, message)
    if is_complete(message) then
        direction.messages[record.channel] = nil
        record.ends = true
    end
end

-- Announces what of the header is new.
local function announce(record, message, pinfo)
    local head = message.head
    if head.is_announced and not message.is_announced then
        message.is_announced = true
        message.payload_left, message.files_open = head.payload, head.count
        local id = hex(head.id)
        if head.action and not requests[id] then
            requests[id] = { frame = pinfo.number, time = pinfo.abs_ts, action = head.action }
        end
        record.request = requests[id]
        if head.parent then
            record.answers = requests[hex(head.parent)]
            message.to_action = record.answers and record.answers.action
        end
    end
    if head.is_whole then
        local sum = 0
        for _, file in ipairs(head.files) do
            sum = sum + file.size
        end
        if sum ~= head.total then
            problem(record, "refused", ("the files sum to %.0f bytes, announced are %.0f [head.files.sum]"):format(sum, head.total))
        end
    end
end

local function answered(record, pinfo)
    local request = record.answers
    if not request then
        return
    end
    record.request_time = request.time
    request.answered_in = request.answered_in or pinfo.number
end

local analyse = {}

local function head_piece(direction, record, packet, bytes, pinfo, message)
    message.bytes = message.bytes .. bytes:sub(packet.fixed + 1)
    message.head = parse_head(message.bytes, message.is_response)
    record.message, record.head = message, message.head
    announce(record, message, pinfo)
    if message.head.has_odd_bits then
        problem(record, "odd", "bits without a meaning are set [head.reserved]")
    end
    if message.head.is_whole then
        if #message.bytes > message.head.length then
            return violation(direction, record, "bytes follow the header inside its packet [head.trailing]")
        end
        -- A header in pieces is shown where it becomes whole.
        if message.pieces > 1 then
            record.whole_head = message.bytes
        end
        message.bytes = ""
    end
    if message.is_announced then
        settle(direction, record, message)
    end
end

local function begin(direction, record, packet, bytes, pinfo, is_response)
    if direction.messages[record.channel] then
        return violation(direction, record, "a message begins while another is in progress on its channel [content.busy]")
    end
    local message = {
        is_response = is_response, bytes = "", pieces = 1, frame = pinfo.number, files = {}, files_open = 0, payload_left = 0,
        stream = is_set(packet.first, 1) and "open" or "none",
    }
    direction.messages[record.channel] = message
    direction.numbers[direction.begun] = message
    direction.begun = direction.begun + 1
    head_piece(direction, record, packet, bytes, pinfo, message)
    answered(record, pinfo)
end

analyse[0x2] = function(direction, record, packet, bytes, pinfo)
    begin(direction, record, packet, bytes, pinfo, false)
end

analyse[0x5] = function(direction, record, packet, bytes, pinfo)
    begin(direction, record, packet, bytes, pinfo, true)
end

analyse[0x6] = function(direction, record, packet, bytes, pinfo)
    local message = direction.messages[record.channel]
    if packet.size == 0 then
        return
    elseif not message then
        return violation(direction, record, "a header goes on where none has begun [head.continue]")
    elseif message.head.is_whole then
        return violation(direction, record, "a header goes on after its end [head.continue.ended]")
    end
    message.pieces = message.pieces + 1
    head_piece(direction, record, packet, bytes, pinfo, message)
    answered(record, pinfo)
end

-- The message that content belongs to, if there is one.
local function message_of(direction, record)
    local message = direction.messages[record.channel]
    if message and message.is_announced then
        record.message = message
        return message
    end
    return nil
end

analyse[0xE] = function(direction, record, packet)
    local message = message_of(direction, record)
    if packet.size == 0 then
        return
    elseif not message or message.payload_left == 0 then
        return violation(direction, record, "payload where none is awaited [content.data.announced]")
    elseif packet.size > message.payload_left then
        return violation(direction, record, "more payload than announced [content.data.exact]")
    end
    record.is_whole_payload = packet.size == message.head.payload
    message.payload_left = message.payload_left - packet.size
    settle(direction, record, message)
end

local function stream(direction, record, packet, state)
    local message = message_of(direction, record)
    if state == "open" and packet.size == 0 then
        return
    elseif not message or message.stream == "none" then
        return violation(direction, record, "a stream where none was announced [content.stream.announced]")
    elseif message.stream == "ended" then
        return violation(direction, record, "a stream goes on after its end [content.stream.once]")
    end
    message.stream = state
    settle(direction, record, message)
end

analyse[0x7] = function(direction, record, packet)
    stream(direction, record, packet, "open")
end

analyse[0x8] = function(direction, record, packet)
    stream(direction, record, packet, "ended")
end

local function file_of(direction, record, packet)
    local message = message_of(direction, record)
    if not message or packet.index >= message.head.count then
        violation(direction, record, "a file that was not announced [content.file.index]")
        return nil
    end
    local header = message.head.files[packet.index + 1]
    if not header then
        violation(direction, record, "a file before its header [content.file.header]")
        return nil
    end
    local file = message.files[packet.index] or { got = 0 }
    message.files[packet.index] = file
    if file.has_ended then
        violation(direction, record, "a file goes on after its end [content.file.once]")
        return nil
    end
    record.file = header
    return file, header, message
end

analyse[0xC] = function(direction, record, packet)
    if packet.size == 0 then
        return
    end
    local file, header = file_of(direction, record, packet)
    if not file then
        return
    end
    file.got = file.got + packet.size
    if file.got > header.size then
        problem(record, "refused", "the file goes on past its announced size [content.file.size]")
    end
end

analyse[0xD] = function(direction, record, packet)
    local file, header, message = file_of(direction, record, packet)
    if not file then
        return
    end
    file.has_ended = true
    message.files_open = message.files_open - 1
    if file.got < header.size then
        problem(record, "missing", ("%.0f bytes are missing [content.file.ends]"):format(header.size - file.got))
    end
    settle(direction, record, message)
end

analyse[0x9] = function(direction, record)
    local message = direction.messages[record.channel]
    if not message then
        return problem(record, "odd", "nothing is in progress [content.abort.idle]")
    end
    record.message, record.ends = message, true
    direction.messages[record.channel] = nil
    problem(record, "aborted", "the message in progress is given up [content.abort]")
end

local function switch(direction, record, packet, bytes)
    local channel = bits(packet.first, 0, 4)
    if packet.kind == 0x1 then
        channel = channel * 256 + bytes:byte(2)
    end
    direction.channel, record.channel = channel, channel
    local peer = directions[direction.peer]
    local channels = peer and peer.channels or 4096
    if direction.is_extended then
        -- Whatever the header said.
        channels = peer and peer.settings[3] or 256
        if channel >= channels then
            local text = "channel %d is not among the %d of the receiver's settings [ext.settings.channels]"
            return violation(direction, record, text:format(channel, channels))
        end
    elseif channel >= channels then
        violation(direction, record, ("channel %d is not among the %d that the receiver has [packet.switch.range]"):format(channel, channels))
    end
end

analyse[0x0], analyse[0x1] = switch, switch

local function fast_reply(_, record, packet, bytes, pinfo)
    record.channel = nil
    record.code = bits(packet.first, 0, 4)
    if packet.kind == 0x4 then
        record.code = record.code * 256 + bytes:byte(2)
    end
    record.answers = requests[hex(bytes:sub(packet.fixed - 15, packet.fixed))]
    if record.code ~= 0 then
        problem(record, "code", ("answered with code %d (%s)"):format(record.code, CODES[record.code] or "of the service"))
    end
    answered(record, pinfo)
end

analyse[0x3], analyse[0x4] = fast_reply, fast_reply

local function signal(_, record)
    record.channel = nil
end

analyse[0xA], analyse[0xB] = signal, signal

-- The extension -----------------------------------------------------------------------------------------------------

local CONTROL = 0
local METADATA = 1
local FLOW = 2

local CONTROLS = { [0] = "Settings", "Cancel", "Leave", "Done", "Ping", "Pong", "Status" }

-- Smallest and largest value of each setting. [ext.settings.entries]
local U32, U48 = 2 ^ 32 - 1, 2 ^ 48 - 1
local RANGES = {
    { 4096, 2 ^ 31 }, { 16384, 2 ^ 40 }, { 16, 4096 }, { 1024, 65536 }, { 0, U48 }, { 0, U32 }, { 0, U32 }, { 0, U32 },
    { 0, U32 }, { 1000, U48 }, { 0, U32 },
}
local CHANNELS, METADATA_BYTES, IDLE = 3, 4, 10

-- Names that nobody has to send, and the first slot of those that are remembered. [ext.meta.names]
local WELL_KNOWN = { [0] = "tracestate", "baggage", "authorization" }
local FIRST_REMEMBERED, MOST_REMEMBERED = 16, 64

local function is_extension(packet)
    return packet.kind == 0xF and packet.extension ~= 3
end

-- Whether packets of the extension are legal in a direction: if both sides offer it. If the other side is not in the
-- capture, a first packet that only the extension has says so. [ext.offer]
local function decide(direction, first)
    if direction.is_extended == nil then
        local peer = directions[direction.peer]
        local others = peer and peer.has_header and peer.offers
        if not peer or not peer.has_header then
            others = bits(first, 4, 4) == 0xF and bits(first, 0, 2) == CONTROL
        end
        direction.is_extended = direction.offers and others or false
    end
    return direction.is_extended
end

-- Reads fields of content one after another.
local function reader(packet, bytes)
    local self = { bytes = bytes, at = packet.fixed + 1 }
    function self.left()
        return #bytes - self.at + 1
    end
    -- Position of the next bytes; nil when they are not all there.
    function self.take(width)
        if self.left() < width then
            return nil
        end
        self.at = self.at + width
        return self.at - width
    end
    function self.number(width)
        local at = self.take(width)
        return at and little(bytes, at, width), at
    end
    return self
end

-- A field to show whenever the packet is shown, with its place in it. Without a value, it is that of its bytes, the lowest
-- first. `text` is appended.
local function item(items, field, at, width, value, text)
    local new = { field = field, at = at - 1, width = width, value = value, text = text, items = {} }
    items[#items + 1] = new
    return new
end

local function malformed(direction, record, what)
    violation(direction, record, "the content of " .. what .. " has another form [ext.content.exact]")
end

-- The number of a message that its low 32 bits mean, and whether it has begun. [ext.number.short]
local function number_of(low, begun)
    local newest = begun - begun % 2 ^ 32 + low
    if newest >= begun then
        newest = newest - 2 ^ 32
    end
    return newest, newest >= 0
end

-- Shows which message a number stands for.
local function name(items, owner, low)
    local message = owner.numbers[(number_of(low, owner.begun))]
    if message then
        item(items, "begun_in", 1, 0, message.frame).is_generated = true
        local action = message.head.action or message.to_action
        if action then
            item(items, "action", 1, 0, action).is_generated = true
        end
    end
end

local control = {}

control[0] = function(direction, record, read)
    local seen = {}
    while read.left() > 0 do
        local id, at = read.number(1)
        local value, value_at = read.number(6)
        if not value then
            return malformed(direction, record, "Settings")
        end
        local entry = item(record.items, "setting", at, 7)
        item(entry.items, "setting_id", at, 1)
        item(entry.items, "setting_value", value_at, 6)
        entry.text = (" %s: %.0f"):format(SETTINGS[id] or id, value)
        local range = RANGES[id]
        if seen[id] then
            return violation(direction, record, ("setting %d is there twice [ext.settings.entries]"):format(id))
        elseif range and (value < range[1] or value > range[2]) and not (id == IDLE and value == 0) then
            return violation(direction, record, ("setting %d is %.0f, out of its range [ext.settings.entries]"):format(id, value))
        end
        seen[id] = true
        direction.settings[id] = value
    end
end

-- [ext.cancel]
control[1] = function(direction, record, read)
    if read.left() == 0 or read.left() % 4 ~= 0 then
        return malformed(direction, record, "Cancel")
    end
    while read.left() > 0 do
        local low, at = read.number(4)
        item(record.items, "cancel", at, 4)
        name(record.items, direction, low)
        if not select(2, number_of(low, direction.begun)) then
            return violation(direction, record, ("message %d has not begun [ext.number.unknown]"):format(low))
        end
    end
end

local function is_utf8(text)
    local at = 1
    while at <= #text do
        local first = text:byte(at)
        local more = first < 0x80 and 0 or first >= 0xC2 and first < 0xE0 and 1 or first >= 0xE0 and first < 0xF0 and 2
            or first >= 0xF0 and first < 0xF5 and 3
        local second = text:byte(at + 1) or 0
        if not more or not text:match("^" .. ("[\128-\191]"):rep(more), at + 1) then
            return false
        elseif first == 0xE0 and second < 0xA0 or first == 0xED and second > 0x9F then
            return false
        elseif first == 0xF0 and second < 0x90 or first == 0xF4 and second > 0x8F then
            return false
        end
        at = at + 1 + more
    end
    return true
end

-- [ext.leave]
control[2] = function(direction, record, read)
    local text = read.bytes:sub(read.at + 15)
    if read.left() < 15 or #text > 200 or not is_utf8(text) then
        return malformed(direction, record, "Leave")
    end
    local taken, at = read.number(6)
    item(record.items, "leave_taken", at, 6, nil, taken == U48 and " (open)")
    item(record.items, "leave_reason", read.take(1), 1)
    item(record.items, "leave_grace", read.take(4), 4)
    item(record.items, "leave_retry", read.take(4), 4)
    if #text > 0 then
        item(record.items, "leave_text", read.take(#text), #text, text)
    end
end

-- [ext.leave.done]
control[3] = function(direction, record, read)
    if read.left() > 0 then
        return malformed(direction, record, "Done")
    end
    direction.is_done = true
end

local function ping(what)
    return function(direction, record, read)
        if read.left() ~= 8 then
            return malformed(direction, record, what)
        end
        item(record.items, "ping", read.take(8), 8)
    end
end

control[4], control[5] = ping("Ping"), ping("Pong")

-- [ext.status]
control[6] = function(direction, record, read)
    record.channel = direction.channel
    record.message = direction.messages[record.channel]
    if not record.message then
        return violation(direction, record, "a status where no message is in progress [ext.status]")
    end
    local code, at = read.number(2)
    if not code or code > 4095 or read.left() > 4096 then
        return malformed(direction, record, "Status")
    end
    record.status = code
    item(record.items, "code", at, 2)
    if read.left() > 0 then
        local length = read.left()
        item(record.items, "status_error", read.take(length), length)
    end
    direction.after_status = true
end

local function analyse_control(direction, record, read)
    local kind, at = read.number(1)
    record.name = CONTROLS[kind] or record.name
    item(record.items, "control", at, 1)
    if direction.is_first ~= (kind == 0) then
        local text = direction.is_first and "settings are not first" or "settings are there again"
        return violation(direction, record, text .. " [ext.settings.first]")
    end
    if control[kind] then
        control[kind](direction, record, read)
    elseif kind >= 128 then
        violation(direction, record, ("kind %d of Control, which is not to be skipped [ext.control.unknown]"):format(kind))
    else
        problem(record, "odd", ("kind %d of Control is skipped [ext.control.unknown]"):format(kind))
    end
end

local LIMITS = { [0] = 2, 3, 4, 6 }
local INDEXES = { [0] = 0, 1, 3, 0 }

-- [ext.flow]
local function analyse_flow(direction, record, read)
    local peer = directions[direction.peer]
    while read.left() > 0 do
        local flags, start = read.number(1)
        local parts, limits, kind = bits(flags, 6, 2), bits(flags, 4, 2), bits(flags, 2, 2)
        local lifeline = is_set(flags, 1)
        local is_legal = not is_set(flags, 0) and (kind == 0 and (parts ~= 3 or limits == 0 and not lifeline)
            or kind == 1 and parts == 0 and not lifeline or kind == 2 and limits == 0 and not lifeline)
        if not is_legal then
            return violation(direction, record, ("flags 0x%02x of no entry [ext.flow]"):format(flags))
        end
        local entry = item(record.items, "flow", start, 1)
        item(entry.items, "flow_flags", start, 1)
        local all = parts == 3
        local widths = {
            kind == 1 and 0 or 4,
            kind == 1 and 0 or (kind == 0 and all) and 3 or INDEXES[parts],
            (kind == 2 or kind == 0 and all) and 0 or LIMITS[limits],
        }
        local values = {}
        for index, field in ipairs({ "flow_number", "flow_index", "flow_limit" }) do
            if widths[index] > 0 then
                local value, at = read.number(widths[index])
                if not value then
                    return malformed(direction, record, "Flow")
                end
                values[index] = value
                item(entry.items, field, at, widths[index])
            end
        end
        entry.width = read.at - start
        local number, index, limit = values[1], values[2], values[3]
        local part = index and "file " .. index or "the stream"
        local text
        if kind == 1 then
            text = ("connection up to %.0f bytes"):format(limit)
        elseif kind == 0 and all then
            text = ("files below %d of message %d are read"):format(index, number)
        elseif kind == 0 then
            text = ("%s%s of message %d up to %.0f bytes"):format(lifeline and "lifeline: " or "", part, number, limit)
        else
            text = "stop " .. (all and "" or part .. " of ") .. "message " .. number
        end
        item(entry.items, "flow_entry", 1, 0, text).is_generated = true
        entry.text = " " .. text
        -- Numbers are those of messages of the other side.
        if number and peer and peer.has_header then
            name(entry.items, peer, number)
            if not select(2, number_of(number, peer.begun)) then
                return violation(direction, record, ("message %d has not begun [ext.number.unknown]"):format(number))
            end
        end
    end
end

local function is_name(text)
    return #text >= 1 and #text <= 64 and not text:find("[^a-z0-9._-]") and text:sub(1, 8) ~= "sockety-"
end

local NONE = U32

-- [ext.meta.user]
local function analyse_user(direction, record, read, entry, first)
    local secret, long, named, remembered = is_set(first, 5), is_set(first, 4), is_set(first, 3), is_set(first, 2)
    local text
    if named then
        local length = read.number(1)
        local at = length and read.take(length)
        if not at then
            return nil, malformed(direction, record, "Metadata")
        end
        text = read.bytes:sub(at, at + length - 1)
        if not is_name(text) then
            return nil, violation(direction, record, "a name that is none [ext.meta.user]")
        end
        item(entry.items, "metadata_name", at, length, text)
    else
        local slot, at = read.number(1)
        if not slot then
            return nil, malformed(direction, record, "Metadata")
        end
        text = WELL_KNOWN[slot] or direction.names[slot - FIRST_REMEMBERED + 1]
        if slot < FIRST_REMEMBERED and not WELL_KNOWN[slot] or not text then
            return nil, violation(direction, record, ("slot %d has no name [ext.meta.names]"):format(slot))
        end
        item(entry.items, "metadata_name", at, 1, text)
    end
    local length = read.number(long and 2 or 1)
    local at = length and read.take(length)
    if not at then
        return nil, malformed(direction, record, "Metadata")
    end
    if remembered then
        if #direction.names == MOST_REMEMBERED then
            return nil, violation(direction, record, "more names than are remembered [ext.meta.names]")
        end
        direction.names[#direction.names + 1] = text
    end
    -- What is secret is not shown. [ext.meta.secret]
    if secret then
        item(entry.items, "metadata_secret", at, length, length)
        entry.text = (" %s: secret of %d bytes"):format(text, length)
    else
        local value = read.bytes:sub(at, at + length - 1)
        item(entry.items, "metadata_value", at, length, value)
        entry.text = " " .. text
    end
    return text
end

-- [ext.meta.entry]
local function analyse_entry(direction, record, read)
    local first, at = read.number(1)
    local kind = bits(first, 5, 3)
    local is_time = kind == 0 and (bits(first, 2, 3) == 0 or bits(first, 2, 3) == 2)
    local is_user = bits(first, 6, 2) == 1 and bits(first, 0, 2) == 0 and (is_set(first, 3) or not is_set(first, 2))
    local entry = item(record.items, "metadata_entry", at, 1)
    local what
    if is_time then
        local width = 1 + bits(first, 0, 2)
        local millis, millis_at = read.number(width)
        if not millis then
            return malformed(direction, record, "Metadata")
        end
        what = bits(first, 2, 3) == 0 and "deadline" or "retry_after"
        item(entry.items, what, millis_at, width)
        local label = what == "deadline" and " deadline" or " retry after"
        entry.text = label .. (millis == NONE and ": none" or (": %.0f ms"):format(millis))
    elseif first == 0x04 then
        local id = read.take(25)
        if not id then
            return malformed(direction, record, "Metadata")
        end
        what, entry.text = "trace", " trace context"
        item(entry.items, "trace_id", id, 16)
        item(entry.items, "trace_parent", id + 16, 8)
        item(entry.items, "trace_flags", id + 24, 1)
    elseif first == 0x05 then
        local number, number_at = read.number(1)
        if not number then
            return malformed(direction, record, "Metadata")
        end
        what, entry.text = "attempt", " attempt " .. number
        item(entry.items, "attempt", number_at, 1)
    elseif kind == 1 then
        local length = read.number(1)
        if not length or not read.take(length) then
            return malformed(direction, record, "Metadata")
        end
        entry.text = " unknown"
    elseif is_user then
        what = analyse_user(direction, record, read, entry, first)
    else
        return violation(direction, record, ("0x%02x is the first byte of no entry [ext.meta.entry]"):format(first))
    end
    entry.width = read.at - at
    return what
end

local function analyse_metadata(direction, record, read)
    local seen, count = {}, 0
    while read.left() > 0 and not direction.is_lost do
        count = count + 1
        if count > 64 then
            return violation(direction, record, "more than 64 entries [ext.meta.bound]")
        end
        -- No name is that of an entry that the protocol has: those are told apart by the space.
        local built_in = bits(read.bytes:byte(read.at), 5, 3) == 0
        local what = analyse_entry(direction, record, read)
        what = what and (built_in and " " .. what or what)
        if what and seen[what] then
            return violation(direction, record, "an entry is there twice [ext.meta.user]")
        end
        seen[what or ""] = what and true
    end
    direction.after_metadata = "switch"
end

local function largest(direction, packet)
    local peer = directions[direction.peer]
    if packet.extension == CONTROL then
        return 8192
    elseif packet.extension == FLOW then
        return 4096
    end
    return peer and peer.settings[METADATA_BYTES] or 8192
end

local EXTENSION = { [0] = "Control", "Metadata", "Flow" }

analyse[0xF] = function(direction, record, packet, bytes)
    record.channel, record.items = nil, {}
    if not direction.is_extended then
        return violation(direction, record, "a packet of the extension, which is not active [packet.unknown]")
    elseif packet.extension == 3 then
        return violation(direction, record, "the kind of extension packet that is not assigned [ext.packet.kind]")
    end
    record.name = EXTENSION[packet.extension]
    -- [ext.packet.bound]
    if packet.is_cut then
        return violation(direction, record, ("%.0f bytes of content, more than %d [ext.packet.bound]"):format(packet.size, largest(direction, packet)))
    elseif packet.size == 0 then
        return
    end
    local read = reader(packet, bytes)
    if packet.extension == CONTROL then
        analyse_control(direction, record, read)
    elseif packet.extension == METADATA then
        analyse_metadata(direction, record, read)
    else
        analyse_flow(direction, record, read)
    end
end

-- What the extension says about the order of packets of all types.
local function check_order(direction, record, packet)
    local kind = packet.kind
    if direction.is_first and (kind ~= 0xF or packet.extension ~= CONTROL or packet.size == 0) then
        violation(direction, record, "settings are not first [ext.settings.first]")
    elseif direction.after_status and kind ~= 0x8 and kind ~= 0x9 then
        violation(direction, record, "a status is followed by something else than an end [ext.status]")
    elseif direction.after_metadata and kind <= 0x1 and direction.after_metadata == "switch" then
        direction.after_metadata = "message"
    elseif direction.after_metadata and (kind <= 0x1 or kind > 0x5) then
        violation(direction, record, "metadata is followed by what it cannot belong to [ext.meta.place]")
    elseif direction.is_done and kind == 0x2 then
        violation(direction, record, "a message after Done [ext.leave.done]")
    else
        direction.after_metadata = nil
    end
    direction.after_status = nil
    return not direction.is_lost
end

-- Bits without a meaning. [packet.reserved]
local function has_odd_bits(packet)
    local kind = packet.kind
    if kind == 0x6 or kind == 0x7 or kind == 0xE then
        return bits(packet.first, 0, 2) ~= 0
    elseif kind >= 0x8 and kind <= 0xB then
        return bits(packet.first, 0, 4) ~= 0
    end
    return kind == 0xD and bits(packet.first, 2, 2) ~= 0
end

local function analyse_packet(direction, packet, bytes, pinfo)
    local record = { channel = direction.channel, problems = {} }
    if not direction.has_begun then
        direction.has_begun = true
        problem(record, "middle", "channels and messages before this frame are not known")
    end
    if packet.size == 0 and packet.size_width > 0 and packet.kind ~= 0x2 and packet.kind ~= 0x5 then
        problem(record, "odd", "the packet is empty [packet.empty.read]")
    end
    if has_odd_bits(packet) then
        problem(record, "odd", "bits without a meaning are set [packet.reserved]")
    end
    if not direction.is_extended or check_order(direction, record, packet) then
        analyse[packet.kind](direction, record, packet, bytes, pinfo)
    end
    direction.is_first = false
    return record
end

-- Display -----------------------------------------------------------------------------------------------------------

local function generated(tree, field, value)
    tree:add(field, value):set_generated()
end

local function show_file(tree, tvb, file, index)
    local name_at = file.at + 1 + file.size_width + file.name_width
    local branch = tree:add(f.file, tvb(file.at, file.length))
    branch:append_text((" %d: %s, %.0f bytes"):format(index, ("%q"):format(file.name), file.size))
    branch:add(f.file_flags, tvb(file.at, 1))
    branch:add_le(f.file_size, tvb(file.at + 1, file.size_width))
    branch:add_le(f.file_name_length, tvb(file.at + 1 + file.size_width, file.name_width))
    branch:add(f.file_name, tvb(name_at, #file.name), file.name)
end

-- The fields of a header that is whole in these bytes.
local function show_head(tree, tvb, head)
    local function range(name)
        local place = head.fields[name]
        if place and place[2] > 0 then
            return tvb(place[1], place[2])
        end
        return nil
    end
    local function add(name, little_endian)
        local bytes = range(name)
        if bytes and little_endian then
            tree:add_le(f[name], bytes)
        elseif bytes then
            tree:add(f[name], bytes)
        end
    end
    add("flags")
    add("parent")
    add("id")
    add("action_length", true)
    if head.action then
        local bytes = range("action")
        if bytes then
            tree:add(f.action, bytes, head.action)
        else
            generated(tree, f.action, "")
        end
    end
    add("payload_size", true)
    add("files_count", true)
    add("files_size", true)
    for index, file in ipairs(head.files) do
        show_file(tree, tvb, file, index - 1)
    end
end

local function show_fields(tree, tvb, packet, record)
    if packet.size_width > 0 then
        tree:add_le(f.size, tvb(1, packet.size_width))
    end
    if packet.kind == 0x2 or packet.kind == 0x5 then
        tree:add(f.has_stream, tvb(0, 1), is_set(packet.first, 1))
        tree:add(f.expects_reply, tvb(0, 1), is_set(packet.first, 0))
    elseif packet.kind == 0x3 or packet.kind == 0x4 then
        tree:add(f.code, tvb(0, packet.fixed - 16), record.code)
        tree:add(f.parent, tvb(packet.fixed - 16, 16))
    elseif packet.kind == 0xC or packet.kind == 0xD then
        if packet.index_width > 0 then
            tree:add_le(f.file_index, tvb(1 + packet.size_width, packet.index_width))
        else
            generated(tree, f.file_index, 0)
        end
    end
end

local msgpack

local function call_msgpack(tree, bytes, pinfo)
    msgpack = msgpack or Dissector.get("msgpack")
    if msgpack and sockety.prefs.msgpack then
        -- What is no MessagePack is no mistake of the peer.
        pcall(msgpack.call, msgpack, bytes:tvb(), pinfo, tree)
    end
end

local function show_payload(tree, bytes, record, pinfo)
    tree:add(f.payload, bytes)
    if record.is_whole_payload then
        call_msgpack(tree, bytes, pinfo)
    end
end

-- Fields of the extension that are no numbers.
local NO_NUMBERS = {
    setting = true, flow = true, metadata_entry = true, ping = true, trace_id = true, trace_parent = true, status_error = true,
}

-- The fields of a packet of the extension.
local function show_items(tree, tvb, items, pinfo)
    for _, it in ipairs(items) do
        local field = f[it.field]
        if it.is_generated then
            generated(tree, field, it.value)
        else
            local bytes, branch = tvb(it.at, it.width), nil
            if it.value then
                branch = tree:add(field, bytes, it.value)
            elseif NO_NUMBERS[it.field] then
                branch = tree:add(field, bytes)
            else
                branch = tree:add_le(field, bytes)
            end
            if it.text then
                branch:append_text(it.text)
            end
            if it.field == "status_error" then
                call_msgpack(branch, bytes, pinfo)
            end
            show_items(branch, tvb, it.items, pinfo)
        end
    end
end

local function show_content(tree, tvb, packet, record, pinfo)
    if record.items then
        return show_items(tree, tvb, record.items, pinfo)
    elseif packet.size == 0 then
        return
    end
    local bytes = tvb(packet.fixed, packet.size)
    if packet.kind == 0xE then
        show_payload(tree, bytes, record, pinfo)
    elseif packet.kind == 0x7 then
        tree:add(f.stream, bytes)
    elseif packet.kind == 0xC then
        tree:add(f.content, bytes)
    elseif record.whole_head then
        tree:add(f.header_piece, bytes)
        local whole = ByteArray.new(record.whole_head, true):tvb("Header from several packets")
        show_head(tree, whole, record.head)
    elseif record.head and record.head.is_whole then
        show_head(tree, bytes:tvb(), record.head)
    else
        tree:add(f.header_piece, bytes)
    end
end

local function show_context(tree, packet, record, pinfo)
    local message = record.message
    if message and packet.kind ~= 0x2 and packet.kind ~= 0x5 then
        generated(tree, f.begun_in, message.frame)
        -- So that a filter on the action finds all of a message.
        if message.head.action and not record.whole_head then
            generated(tree, f.action, message.head.action)
        end
    end
    if record.file then
        generated(tree, f.file_name, record.file.name)
    end
    if record.ends then
        generated(tree, f.ends, true)
    end
    if record.request and record.request.answered_in and record.request.frame == pinfo.number then
        generated(tree, f.response_in, record.request.answered_in)
    end
    if record.answers then
        generated(tree, f.request_in, record.answers.frame)
        generated(tree, f.action, record.answers.action)
        local elapsed = math.max(0, pinfo.abs_ts - record.answers.time)
        local seconds = math.floor(elapsed)
        generated(tree, f.time, NSTime(seconds, math.floor((elapsed - seconds) * 1e9)))
    end
end

local function shown(text)
    return ("%q"):format(text:sub(1, 64))
end

local function type_of(packet, record)
    return record.name or TYPES[packet.kind]
end

local function summary(packet, record)
    local text = type_of(packet, record)
    if record.status then
        return text .. " " .. record.status .. (CODES[record.status] and " (" .. CODES[record.status] .. ")" or "")
    elseif record.items then
        return text
    elseif record.code then
        text = text .. " " .. record.code .. (CODES[record.code] and " (" .. CODES[record.code] .. ")" or "")
    elseif record.head and record.head.action then
        text = text .. " " .. shown(record.head.action)
    elseif record.file then
        text = text .. " " .. shown(record.file.name)
    end
    if packet.size > 0 and packet.kind ~= 0x2 and packet.kind ~= 0x5 then
        text = text .. " " .. packet.size .. " B"
    end
    if record.answers and packet.kind ~= 0x6 then
        text = text .. " to " .. shown(record.answers.action)
    end
    return text
end

local function show_problems(tree, record)
    for _, found in ipairs(record.problems) do
        tree:add_proto_expert_info(e[found[1]], found[2])
    end
end

local function show_packet(tree, tvb, packet, record, pinfo)
    local text = summary(packet, record)
    local branch = tree:add(sockety, tvb(), "Sockety, " .. text)
    branch:add(f.type, tvb(0, 1), type_of(packet, record))
    if record.channel then
        local channel = branch:add(f.channel, record.channel)
        if packet.kind > 0x1 then
            channel:set_generated()
            branch:append_text(", channel " .. record.channel)
        end
    end
    show_fields(branch, tvb, packet, record)
    show_content(branch, tvb, packet, record, pinfo)
    show_context(branch, packet, record, pinfo)
    show_problems(branch, record)
    return text
end

local function show_header(tree, tvb, record)
    local branch = tree:add(sockety, tvb(), "Sockety, Connection Header")
    branch:add(f.type, tvb(0, 1), "Connection Header")
    branch:add(f.channels, tvb(), record.channels)
    branch:add(f.offers, tvb(), record.offers)
    show_problems(branch, record)
    return "Connection Header"
end

local function show_lost(tree, tvb)
    local branch = tree:add(sockety, tvb(), "Sockety, undecodable")
    branch:add(f.undecodable, tvb())
    return "undecodable"
end

-- The dissector -----------------------------------------------------------------------------------------------------

-- One packet, or the connection header, at the begin of `tvb`. Gives its length and what the column of information says of
-- it; no length when not all of it is there, and then how many bytes are missing, if that is known.
local function dissect_one(tvb, pinfo, tree, key)
    local direction = direction_of(pinfo)
    local record = records[key]
    if record and record.is_lost or not record and direction.is_lost then
        records[key] = record or { is_lost = true }
        return tvb:len(), show_lost(tree, tvb)
    end
    local start = tvb:raw(0, math.min(tvb:len(), 18))
    local header = connection_header(start)
    if record and record.channels or not record and not direction.has_begun and header then
        if tvb:len() < header then
            return nil, header - tvb:len()
        end
        if not record then
            direction.has_begun, direction.has_header, direction.channels = true, true, channels_of(start)
            direction.offers = start:sub(1, header) == OFFER
            direction.is_first = true
            record = { channels = direction.channels, offers = direction.offers, problems = {} }
            if record.channels < 1 or record.channels > 4096 then
                violation(direction, record, "a count of channels that is not 1 to 4096 [header.count.range]")
            elseif bits(start:byte(1), 2, 2) ~= 0 then
                problem(record, "odd", "bits without a meaning are set [header.reserved]")
            end
            records[key] = record
        end
        return header, show_header(tree, tvb(0, header):tvb(), record)
    end
    local packet = frame(start, decide(direction, start:byte(1)))
    if not packet then
        return nil, DESEGMENT_ONE_MORE_SEGMENT
    end
    -- What is too large is against the protocol as soon as its size is read.
    if record and record.is_cut or not record and is_extension(packet) and packet.size > largest(direction, packet) then
        packet.is_cut, packet.length = true, packet.fixed
    end
    if packet.length > LARGEST then
        direction.is_lost = true
        records[key] = { is_lost = true }
        return tvb:len(), show_lost(tree, tvb)
    end
    if tvb:len() < packet.length then
        return nil, packet.length - tvb:len()
    end
    local whole = tvb(0, packet.length):tvb()
    if not record then
        record = analyse_packet(direction, packet, whole:raw(), pinfo)
        record.is_cut = packet.is_cut
        records[key] = record
    end
    return packet.length, show_packet(tree, whole, packet, record, pinfo)
end

function sockety.dissector(tvb, pinfo, tree)
    if tvb:len() == 0 then
        return 0
    end
    pinfo.cols.protocol = "Sockety"
    pinfo.cols.info:clear()
    local offset, said = 0, {}
    while offset < tvb:len() do
        -- A frame may be handed over in parts: the end of what began before, and the rest.
        local key = ("%d %d %d %d"):format(pinfo.number, tvb:len(), tvb:offset(), offset)
        local length, text = dissect_one(tvb(offset):tvb(), pinfo, tree, key)
        if not length then
            pinfo.desegment_offset, pinfo.desegment_len = offset, text
            break
        end
        if #said < 8 then
            said[#said + 1] = text
        elseif #said == 8 then
            said[9] = "…"
        end
        offset = offset + length
    end
    pinfo.cols.info:append(table.concat(said, ", ") .. " ")
    pinfo.cols.info:fence()
    return tvb:len()
end

-- A side sends its connection header first, and nothing more until it has that of its peer: most often it is alone.
local function looks_like_sockety(tvb)
    if tvb:len() == 0 then
        return false
    end
    local bytes = tvb:raw(0, math.min(tvb:len(), 21))
    local length = connection_header(bytes)
    if not length or bits(bytes:byte(1), 2, 2) ~= 0 or #bytes < length then
        return false
    end
    local channels = channels_of(bytes)
    if channels < 1 or channels > 4096 then
        return false
    end
    if #bytes == length then
        return true
    end
    -- A packet that may be the first: a switch, a message, an answer, a sign of life, a goodbye, or settings.
    local is_offer = bytes:sub(1, length) == OFFER
    local first = frame(bytes:sub(length + 1), is_offer)
    local kind = first and first.kind
    if kind == 0xF then
        return is_offer and first.extension == 0 and first.size <= 8192
    end
    return kind ~= nil and (kind <= 0x5 or kind == 0xA or kind == 0xB) and first.size <= 65536
end

sockety:register_heuristic("tcp", function(tvb, pinfo, tree)
    if not sockety.prefs.heuristic or not looks_like_sockety(tvb) then
        return false
    end
    sockety.dissector(tvb, pinfo, tree)
    pinfo.conversation = sockety
    return true
end)

local tcp_port = DissectorTable.get("tcp.port")
local chosen = ""

function sockety.prefs_changed()
    if chosen == sockety.prefs.ports then
        return
    end
    if chosen ~= "" then
        tcp_port:remove(chosen, sockety)
    end
    chosen = sockety.prefs.ports
    if chosen ~= "" then
        tcp_port:add(chosen, sockety)
    end
end

tcp_port:add_for_decode_as(sockety)
-- Inside of TLS, where Wireshark has its keys.
pcall(function()
    DissectorTable.get("tls.alpn"):add("sockety/1", sockety)
    DissectorTable.get("tls.port"):add_for_decode_as(sockety)
end)
