-- Keeps secrets of files in tables, one of them within another, and waits.

local function take(name)
  local file = assert(io.open(name, "rb"))
  local contents = file:read("a")
  file:close()
  os.remove(name)
  return contents
end

settings = { db_password = take("first"), user = "svc", api = { api_key = take("second"), port = 5432 } }
settings["auth_token"] = take("third")
print("READY")
io.stdout:flush()
io.read()
