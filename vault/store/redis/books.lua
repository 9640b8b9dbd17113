-- What a call touches, as tables: loaded when first asked for, written at the end, so that a call
-- which fails has changed nothing. Counts exactly as `vault/store/windows.py` and `books.py` do,
-- which are the reference. `guard.lua` follows; `guard.py` says what stands under which key.

local BUCKETS, REQUEST_SECONDS = 60, 600
local STATE, MARKS, LOCKS, QUEUE, AWAITED, GONE = unpack(KEYS, 1, 6)
local AT_ONCE = 1000 -- arguments of one command; Lua's stack holds some 8,000

local call, pack, unpacked = redis.call, cmsgpack.pack, cmsgpack.unpack
local p = unpacked(ARGV[1])
local PERSON, TAG = 16, '{jeton}:'
local clock = call('TIME')
local time = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local facts = call('HMGET', STATE, 'epoch', 'halted', 'generation', 'seen', 'run', 'settled')
local epoch, halted = facts[1], facts[2]
local seen, now, stamp, asked = tonumber(facts[4] or '0'), nil, nil, nil
local any_lock = call('EXISTS', LOCKS) == 1

-- Windows ---------------------------------------------------------------------------------------

-- Python's `at // (length / BUCKETS)`, to the last bit.
local function bucket_of(at, length)
  local width = length / BUCKETS
  return math.floor((at - math.fmod(at, width)) / width + 0.5)
end

-- Either clock may be wrong, the caller's or this server's: windows move on by the slower one and
-- what is charged is stamped by the faster one, so that nothing leaves before its time.
local function count_from(caller)
  local server = p.trusted and caller or time
  asked, now = caller, math.max(seen, math.min(caller, server))
  stamp = math.max(now, caller, server)
  if now > seen then
    call('HSET', STATE, 'seen', string.format('%.17g', now))
  end
end

local function load_items(w)
  local raw = call('GET', w.key)
  w.new, w.counts, w.total = not raw, {}, 0
  local flat, at = raw and unpacked(raw) or {}, 0
  for i = 2, #flat, 2 do
    at = at + flat[i]
    if at >= w.oldest then
      w.counts[at], w.total = flat[i + 1], w.total + flat[i + 1]
    end
  end
end

local function load_people(w)
  local all = call('ZCARD', w.key)
  w.gone = all > 0 and call('ZCOUNT', w.key, '-inf', '(' .. w.oldest) or 0
  w.new, w.total, w.seen, w.moved, w.shifted = all == 0, all - w.gone, {}, {}, {}
end

local windows = {}
local function window(number)
  local w = windows[number]
  if not w then
    local limit = p.limits[number]
    w = {number = number, people = limit[1], key = KEYS[limit[2]], length = limit[3]}
    w.entry, w.newest = string.sub(w.key, #TAG + 1), bucket_of(now, w.length)
    w.oldest = w.newest - BUCKETS
    w.stamp = stamp and bucket_of(stamp, w.length)
    if w.people then load_people(w) else load_items(w) end
    windows[number] = w
  end
  return w
end

local function add(w, bucket, items)
  if bucket >= w.oldest then
    w.counts[bucket], w.total = (w.counts[bucket] or 0) + items, w.total + items
    w.changed = true
  end
end

local function in_order(counts)
  local buckets = {}
  for bucket in pairs(counts) do buckets[#buckets + 1] = bucket end
  table.sort(buckets)
  return buckets
end

local function wait_for(w, counts, total, items, ceiling)
  if items > ceiling then return w.length end
  local excess = total + items - ceiling
  for _, bucket in ipairs(in_order(counts)) do
    excess = excess - counts[bucket]
    if excess <= 0 then
      local leaves = (bucket + BUCKETS + 1) * (w.length / BUCKETS)
      return math.max(1, math.ceil(leaves - asked))
    end
  end
  return 1
end

-- People ----------------------------------------------------------------------------------------

local function persons_of(charge)
  if charge.persons then return charge.persons end
  local persons, first = {}, charge[4] - 1
  charge.persons = persons
  for i = 1, first >= 0 and charge[5] or 0 do
    local at = (first + i - 1) * PERSON
    persons[i] = string.sub(ARGV[2], at + 1, at + PERSON)
  end
  return persons
end

-- The bucket each was last seen in; false where it has left or was never there.
local function look_up(w, persons)
  local unknown = {}
  for _, person in ipairs(persons) do
    if w.seen[person] == nil then
      unknown[#unknown + 1], w.seen[person] = person, false
    end
  end
  for first = 1, #unknown, AT_ONCE do
    local last = math.min(first + AT_ONCE - 1, #unknown)
    local scores = call('ZMSCORE', w.key, unpack(unknown, first, last))
    for i, score in ipairs(scores) do
      local bucket = score and tonumber(score)
      if bucket and bucket >= w.oldest then w.seen[unknown[first + i - 1]] = bucket end
    end
  end
end

-- How many were last seen in each bucket, but for the `known` ones of `persons`.
local function others(w, persons)
  if not w.stored then
    w.stored = {}
    local from = w.oldest
    while from do
      local first = call('ZRANGEBYSCORE', w.key, from, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
      local bucket = first[2] and tonumber(first[2])
      if bucket then w.stored[bucket] = call('ZCOUNT', w.key, bucket, bucket) end
      from = bucket and bucket + 1
    end
  end
  local counts, known = {}, 0
  for bucket, count in pairs(w.stored) do counts[bucket] = count end
  for bucket, count in pairs(w.shifted) do counts[bucket] = (counts[bucket] or 0) + count end
  for _, person in ipairs(persons) do
    local bucket = w.seen[person]
    if bucket then counts[bucket], known = counts[bucket] - 1, known + 1 end
  end
  return counts, known
end

local function see(w, persons, bucket)
  if bucket < w.oldest then return end
  look_up(w, persons)
  for _, person in ipairs(persons) do
    local last = w.seen[person]
    if not last or last < bucket then
      if last then
        w.shifted[last], w.total = (w.shifted[last] or 0) - 1, w.total - 1
      end
      w.shifted[bucket], w.total = (w.shifted[bucket] or 0) + 1, w.total + 1
      w.seen[person], w.moved[person], w.changed = bucket, bucket, true
    end
  end
end

-- Requests --------------------------------------------------------------------------------------

local requests = {}
local function request(number)
  if number == 0 then return nil end
  local known = requests[number]
  if known == nil then
    local raw = call('GET', KEYS[number])
    local kept = raw and unpacked(raw)
    known = kept and kept[2] > now - REQUEST_SECONDS
      and {fingerprint = kept[1], at = kept[2], repetitions = kept[3]} or false
    requests[number] = known
  end
  return known
end

local function repeats(known)
  if known.repetitions >= p.free then return false end
  known.repetitions, known.noted = known.repetitions + 1, true
  return true
end

local function note(number, fingerprint, at)
  requests[number] = {fingerprint = fingerprint, at = at, repetitions = 0, noted = true, new = true}
end

-- Writing ---------------------------------------------------------------------------------------

local function write_items(w)
  local flat, before = {w.length}, 0
  for _, bucket in ipairs(in_order(w.counts)) do
    flat[#flat + 1], flat[#flat + 2] = bucket - before, w.counts[bucket]
    before = bucket
  end
  call('SET', w.key, pack(flat))
end

local function write_people(w)
  if w.gone > 0 then -- a few at a time: who has left is not counted anyhow
    call('ZREMRANGEBYRANK', w.key, 0, math.min(w.gone, AT_ONCE) - 1)
  end
  local added = {}
  for person, bucket in pairs(w.moved) do
    added[#added + 1], added[#added + 2] = bucket, person
    if #added >= AT_ONCE then
      call('ZADD', w.key, unpack(added))
      added = {}
    end
  end
  if #added > 0 then call('ZADD', w.key, unpack(added)) end
end

-- Returns how many windows are new: each stands once in the queue of the sweeper.
local function write()
  local new = 0
  for _, w in pairs(windows) do
    if w.changed then
      if w.people then write_people(w) else write_items(w) end
      if w.new then
        call('RPUSH', QUEUE, w.entry)
        new = new + 1
      end
    end
  end
  for number, known in pairs(requests) do
    if known and known.noted then
      local kept = pack({known.fingerprint, known.at, known.repetitions})
      if known.new then
        call('SET', KEYS[number], kept, 'EX', REQUEST_SECONDS + 60)
      else
        call('SET', KEYS[number], kept, 'KEEPTTL')
      end
    end
  end
  return new
end
