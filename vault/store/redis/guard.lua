-- Decides charges inside Redis, on the tables of `books.lua`: one call is one transaction.

local SETTLE_SECONDS, LIVE_SECONDS, GONE_SECONDS = 3, 5, 86400

-- Charges ---------------------------------------------------------------------------------------

-- A charge is {items set, people set, items, the first of its persons (0: they are too many to be
-- looked at), how many they are, request, fingerprint, principal, end user, at}; a set is a list of
-- {limit, ceiling}; a request is the number of its key, or 0.

-- Who is asked for in the whole group, each window in one go.
local function look_up_all()
  local asked_for = {}
  for _, charge in ipairs(p.charges) do
    local persons = persons_of(charge)
    for _, bound in ipairs(#persons > 0 and p.sets[charge[2]] or {}) do
      if #persons <= bound[2] then
        local all = asked_for[bound[1]] or {}
        for _, person in ipairs(persons) do all[#all + 1] = person end
        asked_for[bound[1]] = all
      end
    end
  end
  for number, persons in pairs(asked_for) do look_up(window(number), persons) end
end

local function locked(charge)
  return any_lock and (call('HEXISTS', LOCKS, charge[8]) == 1
    or (charge[9] ~= '' and call('HEXISTS', LOCKS, charge[9]) == 1))
end

local function overspent(items, set, worst)
  for _, bound in ipairs(p.sets[set]) do
    local w, ceiling = window(bound[1]), bound[2]
    if w.total + items > ceiling then
      local wait = wait_for(w, w.counts, w.total, items, ceiling)
      if not worst or wait > worst[2] then worst = {w.number, wait} end
    end
  end
  return worst
end

local function too_many(persons, number, set, worst)
  for _, bound in ipairs(p.sets[set]) do
    local w, ceiling, fresh = window(bound[1]), bound[2], number
    if number <= ceiling then -- else their number alone refuses them
      look_up(w, persons)
      for _, person in ipairs(persons) do
        if w.seen[person] then fresh = fresh - 1 end
      end
    end
    if w.total + fresh > ceiling then
      local counts, known = others(w, persons)
      local wait = wait_for(w, counts, w.total - known, number, ceiling)
      if not worst or wait > worst[2] then worst = {w.number, wait} end
    end
  end
  return worst
end

local function spend(items, set)
  for _, bound in ipairs(p.sets[set]) do
    local w = window(bound[1])
    add(w, w.stamp, items)
  end
end

local ADMITTED, DUPLICATE, LOCKED, REUSED = 0, 1, 2, 3
local function decide(charge)
  if locked(charge) then return LOCKED end
  local known = request(charge[6])
  if known then
    if known.fingerprint ~= charge[7] then return REUSED end
    if repeats(known) then return DUPLICATE end
  end
  local persons = persons_of(charge)
  local refused = too_many(persons, charge[5], charge[2], overspent(charge[3], charge[1]))
  if refused then return refused end
  spend(charge[3], charge[1])
  for _, bound in ipairs(p.sets[charge[2]]) do
    local w = window(bound[1])
    see(w, persons, w.stamp)
  end
  if charge[6] > 0 and not known then note(charge[6], charge[7], now) end
  return ADMITTED
end

local function count_again(charge)
  local known, at = request(charge[6]), charge[10]
  if known and repeats(known) then return end
  if known == false and at > now - REQUEST_SECONDS then note(charge[6], charge[7], at) end
  for _, bound in ipairs(p.sets[charge[1]]) do
    local w = window(bound[1])
    add(w, bucket_of(at, w.length), charge[3])
  end
  for _, bound in ipairs(p.sets[charge[2]]) do
    local w = window(bound[1])
    see(w, persons_of(charge), bucket_of(at, w.length))
  end
end

-- Marks -----------------------------------------------------------------------------------------

-- A mark is {durable, digest, charged, when its writer was last heard of, which process that is, the
-- number of its last group, the verdicts on that}.
local function host_of(writer) return string.match(writer, '^(.*)%-w%d+$') or '' end

-- All marks are read each second, so those of machines that were not heard of for a day stand
-- elsewhere; what one of them knew is asked of it all the same when it is back.
local function set_aside(marks)
  local heard = {}
  for i = 2, #marks, 2 do
    local host = host_of(marks[i - 1])
    heard[host] = math.max(heard[host] or 0, unpacked(marks[i])[4])
  end
  for i = 2, #marks, 2 do
    if heard[host_of(marks[i - 1])] < time - GONE_SECONDS then
      call('HSET', GONE, marks[i - 1], marks[i])
      call('HDEL', MARKS, marks[i - 1])
    end
  end
end

local function bring_back(host)
  local marks = call('HGETALL', GONE)
  for i = 2, #marks, 2 do
    if host_of(marks[i - 1]) == host then
      call('HSET', MARKS, marks[i - 1], marks[i])
      call('HDEL', GONE, marks[i - 1])
    end
  end
end

local function mark_of(writer)
  local raw = call('HGET', MARKS, writer)
  if not raw and call('EXISTS', GONE) == 1 then
    bring_back(host_of(writer))
    raw = call('HGET', MARKS, writer)
  end
  return raw and unpacked(raw) or {0, '', 0, 0, '', 0, {}}
end

local function write_mark(writer, mark)
  mark[4] = time
  call('HSET', MARKS, writer, pack(mark))
end

local function set_charged(writer, charged)
  local mark = mark_of(writer)
  mark[3] = charged
  write_mark(writer, mark)
end

-- Another server answers than before, or it was started anew: commits may be missing. Each writer
-- that was alive says how far it had come before anything more is decided.
local function notice_another_server()
  local run = string.match(call('INFO', 'server'), 'run_id:(%x+)')
  if facts[5] == run then return end
  call('HSET', STATE, 'run', run, 'settled', time + SETTLE_SECONDS)
  call('DEL', AWAITED)
  local marks, newest = call('HGETALL', MARKS), 0
  for i = 2, #marks, 2 do
    marks[i] = unpacked(marks[i])[4]
    newest = math.max(newest, marks[i])
  end
  for i = 2, #marks, 2 do
    if facts[5] and marks[i] > newest - LIVE_SECONDS then call('SADD', AWAITED, marks[i - 1]) end
  end
  facts[6] = time + SETTLE_SECONDS
end

-- The writer knows itself charged up to there: nil where all of that is here.
local function missing(writer, charged)
  notice_another_server()
  if mark_of(writer)[3] < charged then return 'lost' end
  call('SREM', AWAITED, writer)
end

local function unsettled()
  if call('EXISTS', AWAITED) == 0 then return nil end
  if time <= tonumber(facts[6]) then return 'settling' end
  call('DEL', AWAITED)
end

-- Calls -----------------------------------------------------------------------------------------

local calls = {}

function calls.open()
  if call('HSETNX', STATE, 'epoch', p.epoch) == 1 then call('HSET', STATE, 'schema', p.schema) end
  return call('HMGET', STATE, 'epoch', 'schema')
end

function calls.commit()
  if halted then return {'halted', halted} end
  local mark = p.mark
  local last = mark_of(mark[1])
  if last[5] == p.process and p.number <= last[6] then
    if p.number < last[6] then return {'stale'} end -- it was late, and given up
    write_mark(mark[1], last) -- a write, for replicas to be waited for
    return {'ok', last[7], 0}
  end
  local trouble = missing(mark[1], mark[4]) or unsettled()
  if trouble then return {trouble} end
  count_from(p.now)
  look_up_all()
  local verdicts, admitted = {}, p.admitted
  for i, charge in ipairs(p.charges) do
    local verdict = decide(charge)
    verdicts[i] = verdict
    if verdict == ADMITTED or verdict == DUPLICATE then admitted = admitted + 1 end
  end
  local new = write()
  local charged = mark[2] + admitted
  write_mark(mark[1], {mark[2], mark[3], charged, time, p.process, p.number, verdicts})
  return {'ok', verdicts, new}
end

function calls.lease()
  count_from(p.now)
  local charge, room = p.charges[1], p.share
  if locked(charge) then return {'ok', LOCKED, 0, 0} end
  local refused = overspent(charge[3], charge[1])
  if refused then return {'ok', refused, 0, 0} end
  for _, bound in ipairs(p.sets[charge[1]]) do
    room = math.min(room, bound[2] - window(bound[1]).total)
  end
  local granted = math.max(charge[3], room)
  spend(granted, charge[1])
  return {'ok', granted, stamp, write()}
end

function calls.give_back()
  now = seen
  for number in ipairs(p.limits) do
    local w, items = window(number), p.items
    local leased = bucket_of(p.leased_at, w.length)
    for _, bucket in ipairs(leased >= w.oldest and in_order(w.counts) or {}) do
      if bucket >= leased and items > 0 then
        local taken = math.min(items, w.counts[bucket])
        local left = w.counts[bucket] - taken
        w.counts[bucket] = left > 0 and left or nil
        items, w.changed = items - taken, true
      end
    end
  end
  write()
  return {'ok'}
end

function calls.replay()
  count_from(p.now)
  for _, charge in ipairs(p.charges) do count_again(charge) end
  local new = write()
  if p.charged then set_charged(p.writer, p.charged) end
  return {'ok', new}
end

function calls.state()
  if p.mark then
    if not missing(p.mark[1], p.mark[4]) then
      write_mark(p.mark[1], mark_of(p.mark[1]))
    end
  end
  local marks = call('HGETALL', MARKS)
  set_aside(marks)
  if p.gone then
    for _, text in ipairs(call('HGETALL', GONE)) do marks[#marks + 1] = text end
  end
  for i = 2, #marks, 2 do
    local mark = unpacked(marks[i])
    marks[i] = {mark[1], mark[2], mark[3]}
  end
  return {'ok', epoch or '', halted or '', tonumber(facts[3] or '0'), marks}
end

function calls.set_mark()
  local writer, durable, digest, charged = p.mark[1], p.mark[2], p.mark[3], p.mark[4]
  local mark = mark_of(writer)
  if call('HEXISTS', MARKS, writer) == 1 then
    missing(writer, charged)
    charged = mark[3]
  end
  mark[1], mark[2], mark[3] = durable, digest, charged
  write_mark(writer, mark)
  return {'ok'}
end

function calls.halt()
  call('HSETNX', STATE, 'epoch', p.fresh)
  call('HSETNX', STATE, 'schema', p.schema)
  call('HSET', STATE, 'halted', p.reason)
  return {'ok', call('HGET', STATE, 'epoch')}
end

function calls.resume()
  call('HDEL', STATE, 'halted')
  return {'ok'}
end

function calls.raise_generation()
  local before = tonumber(facts[3] or '0')
  if p.generation > before then call('HSET', STATE, 'generation', p.generation) end
  return {'ok', before}
end

function calls.lock()
  call('HSETNX', LOCKS, p.who, p.reason)
  return {'ok'}
end

function calls.unlock() return {'ok', call('HDEL', LOCKS, p.who)} end

-- The head of the queue as the caller saw it: what has left its window goes, the rest goes to
-- the end.
function calls.sweep()
  now = seen
  for number, limit in ipairs(p.limits) do
    if call('LINDEX', QUEUE, 0) ~= string.sub(KEYS[limit[2]], #TAG + 1) then break end
    local w = window(number)
    call('LPOP', QUEUE)
    if w.total > 0 or (w.people and w.gone > AT_ONCE) then
      call('RPUSH', QUEUE, w.entry)
      if w.people and w.gone > 0 then write_people(w) end
    else
      call('DEL', w.key)
    end
  end
  return {'ok'}
end

local function checked()
  if p.op == 'open' then return calls.open() end
  if p.op ~= 'state' and p.op ~= 'halt' and epoch ~= p.epoch then return {'epoch'} end
  return calls[p.op]()
end

return pack(checked())
